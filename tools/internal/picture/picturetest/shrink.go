package picturetest

import (
	"bytes"
	"cmp"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"slices"
)

// shrink gives a screenshot 256 colours, which makes it a third of the size: one
// of each kind that there is, then those that it uses most.  The rest are the soft
// edges of letters, for which the nearest will do.
func shrink(shot []byte) ([]byte, error) {
	img, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		return nil, err
	}
	uses := map[color.RGBA]int{}
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			uses[rgba(img, x, y)]++
		}
	}
	order := slices.SortedFunc(maps.Keys(uses), func(a, b color.RGBA) int {
		return cmp.Or(cmp.Compare(uses[b], uses[a]), cmp.Compare(number(a), number(b)))
	})
	var firsts, others color.Palette
	kinds := map[int]bool{}
	for _, c := range order {
		kind := number(color.RGBA{c.R >> 5, c.G >> 5, c.B >> 5, 0})
		if kinds[kind] {
			others = append(others, c)
		} else {
			firsts = append(firsts, c)
		}
		kinds[kind] = true
	}
	palette := append(firsts, others...)
	palette = palette[:min(len(palette), 256)]
	small := image.NewPaletted(img.Bounds(), palette)
	draw.Draw(small, small.Bounds(), img, image.Point{}, draw.Src)
	var out bytes.Buffer
	err = (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, small)
	return out.Bytes(), err
}

func rgba(img image.Image, x, y int) color.RGBA {
	return color.RGBAModel.Convert(img.At(x, y)).(color.RGBA)
}

func number(c color.RGBA) int { return int(c.R)<<16 | int(c.G)<<8 | int(c.B) }
