package sh

import (
	"strings"

	"yolk/userland/kit"
)

// An editor reads a line from a raw terminal: it gets one byte a key (or an
// escape sequence), and draws what the terminal no longer echoes itself.
type editor struct {
	read     func() (byte, error)
	write    func([]byte)
	complete func(line string) (start int, names []string)
	columns  int
	history  []string

	prompt string
	line   []byte
	pos    int    // of the cursor in line
	past   int    // which line of history is shown; len(history): the new one
	draft  string // the new line, while one of history is shown
}

// historySize is how many lines are kept.
const historySize = 200

// ctrl is the byte that Ctrl and the letter send.
func ctrl(letter byte) byte { return letter & 0x1f }

// The keys that are not a single control character.
const (
	keyEscape    = 0x1b
	keyBackspace = 0x7f
)

// readLine lets the user edit a line and gives it with its newline; errEnd at
// Ctrl-D on an empty line, errInterrupted at Ctrl-C.
func (e *editor) readLine(prompt string) (string, error) {
	e.prompt, e.line, e.pos = prompt, nil, 0
	e.past, e.draft = len(e.history), ""
	e.write([]byte(prompt))
	for {
		key, err := e.read()
		if err != nil {
			return "", err
		}
		switch key {
		case '\r', '\n':
			e.write([]byte("\n"))
			e.remember(string(e.line))
			return string(e.line) + "\n", nil
		case ctrl('C'):
			e.write([]byte("^C\n"))
			return "", errInterrupted
		case ctrl('D'):
			if len(e.line) == 0 {
				e.write([]byte("\n"))
				return "", errEnd
			}
			e.delete(e.pos, e.pos+1)
		case keyEscape:
			e.escape()
		default:
			e.key(key)
		}
	}
}

// key acts on any other key.
func (e *editor) key(key byte) {
	switch key {
	case ctrl('A'):
		e.move(0)
	case ctrl('E'):
		e.move(len(e.line))
	case ctrl('B'):
		e.move(e.pos - 1)
	case ctrl('F'):
		e.move(e.pos + 1)
	case ctrl('P'):
		e.recall(e.past - 1)
	case ctrl('N'):
		e.recall(e.past + 1)
	case ctrl('U'):
		e.delete(0, e.pos)
	case ctrl('K'):
		e.delete(e.pos, len(e.line))
	case ctrl('H'), keyBackspace:
		e.delete(e.pos-1, e.pos)
	case ctrl('I'):
		e.tab()
	default:
		if key >= ' ' {
			e.insert(string([]byte{key}))
		}
	}
}

// escape acts on an escape sequence: ESC [ letter, ESC O letter, ESC [ digit ~.
func (e *editor) escape() {
	if intro, err := e.read(); err != nil || intro != '[' && intro != 'O' {
		return
	}
	key, err := e.read()
	if err != nil {
		return
	}
	if isDigit(key) {
		if end, err := e.read(); err != nil || end != '~' {
			return
		}
	}
	switch key {
	case 'A':
		e.recall(e.past - 1)
	case 'B':
		e.recall(e.past + 1)
	case 'C':
		e.move(e.pos + 1)
	case 'D':
		e.move(e.pos - 1)
	case 'H', '1':
		e.move(0)
	case 'F', '4':
		e.move(len(e.line))
	case '3':
		e.delete(e.pos, e.pos+1)
	}
}

// move puts the cursor before the byte pos, if there is one.
func (e *editor) move(pos int) {
	if pos >= 0 && pos <= len(e.line) {
		e.pos = pos
		e.draw()
	}
}

// insert puts text at the cursor.
//
// WHY the short way: at the line's end the text is all that changes on the
// screen, and whoever reads the console's output finds the command in one piece.
func (e *editor) insert(text string) {
	atEnd := e.pos == len(e.line)
	e.line = append(e.line[:e.pos], append([]byte(text), e.line[e.pos:]...)...)
	e.pos += len(text)
	if atEnd && len(e.line) < e.room() {
		e.write([]byte(text))
		return
	}
	e.draw()
}

// delete removes the bytes from…to-1, as far as the line has them.
func (e *editor) delete(from, to int) {
	from, to = max(from, 0), min(to, len(e.line))
	if from >= to {
		return
	}
	e.line = append(e.line[:from], e.line[to:]...)
	e.pos = from
	e.draw()
}

// recall shows the line of history with the index given.
func (e *editor) recall(index int) {
	if index < 0 || index > len(e.history) {
		return
	}
	if e.past == len(e.history) {
		e.draft = string(e.line)
	}
	e.past = index
	text := e.draft
	if index < len(e.history) {
		text = e.history[index]
	}
	e.line = []byte(text)
	e.pos = len(text)
	e.draw()
}

// remember adds a line to the history, unless it is blank or the same again.
func (e *editor) remember(line string) {
	if strings.TrimSpace(line) == "" || len(e.history) > 0 && e.history[len(e.history)-1] == line {
		return
	}
	e.history = append(e.history, line)
	if len(e.history) > historySize {
		e.history = e.history[1:]
	}
}

// tab completes the word before the cursor as far as it is certain, and lists
// the possibilities where it cannot.
func (e *editor) tab() {
	start, names := e.complete(string(e.line[:e.pos]))
	if len(names) == 0 {
		return
	}
	word := string(e.line[start:e.pos])
	common := commonPrefix(names)
	switch {
	case len(names) == 1 && !strings.HasSuffix(common, "/"):
		e.insert(common[len(word):] + " ")
	case len(common) > len(word):
		e.insert(common[len(word):])
	default:
		e.write([]byte("\n" + strings.Join(names, "  ") + "\n"))
		e.draw()
	}
}

// commonPrefix is what all names begin with.
func commonPrefix(names []string) string {
	prefix := names[0]
	for _, n := range names[1:] {
		for !strings.HasPrefix(n, prefix) {
			prefix = prefix[:len(prefix)-1]
		}
	}
	return prefix
}

// room is how many bytes of the line fit on the screen beside the prompt; one
// column stays free, for terminals wrap when the last is written.
func (e *editor) room() int { return max(e.columns-len(e.prompt)-1, 1) }

// draw writes the line anew: as much of it as fits, with the cursor in sight.
func (e *editor) draw() {
	first := max(0, e.pos-e.room())
	shown := e.line[first:min(len(e.line), first+e.room())]
	b := kit.Append(nil, "\r", e.prompt, shown, "\x1b[K")
	if back := first + len(shown) - e.pos; back > 0 {
		b = kit.Append(b, "\x1b[", back, "D")
	}
	e.write(b)
}
