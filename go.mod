module yolk

go 1.27.3

require (
	github.com/cavaliergopher/cpio v1.0.1
	github.com/usbarmory/tamago v1.27.1
	golang.org/x/arch v0.32.0
	golang.org/x/sys v0.49.0
	golang.org/x/term v0.47.0
)
