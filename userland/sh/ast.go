package sh

// The tree that the parser builds and the executor walks, from the whole to the
// parts: a List of Items, each a chain of pipelines, each a row of Commands.

// A List is commands one after the other.
type List []Item

// An Item is `pipeline && pipeline || pipeline`, perhaps in the background.
type Item struct {
	First      Pipeline
	Rest       []AndOr
	Background bool // ended by &
}

// AndOr is a further pipeline of an Item and what joins it to those before.
type AndOr struct {
	And  bool // &&, else ||
	Pipe Pipeline
}

// A Pipeline is one command, or several joined by pipes.
type Pipeline []Command

// A Command is what it does and where its descriptors go.
type Command struct {
	Body   Body
	Redirs []Redir
}

// A Body is a *Simple, *If, *For or *While.
type Body interface{ body() }

// Simple is a command by name with its arguments, or assignments alone.
type Simple struct {
	Assigns []Assign
	Words   []Word
}

// If is `if list; then list; elif list; then list; else list; fi`.
type If struct {
	Arms []Arm // if and elif
	Else List
}

// An Arm is a condition and what to do when it holds.
type Arm struct{ Cond, Then List }

// For is `for name in words; do list; done`; without `in` it takes "$@".
type For struct {
	Name  string
	HasIn bool
	Words []Word
	Do    List
}

// While is `while list; do list; done`.
type While struct{ Cond, Do List }

func (*Simple) body() {}
func (*If) body()     {}
func (*For) body()    {}
func (*While) body()  {}

// An Assign is `name=word`.
type Assign struct {
	Name  string
	Value Word
}

// A Redir is `fd op target`.
type Redir struct {
	Fd     int
	Op     string // < > >> <& >&
	Target Word
}

// A Word is parts written without a blank between them.
type Word []Part

// Kind says what a Part is.
type Kind uint8

// The kinds of parts.
const (
	Literal  Kind = iota // Text stands for itself
	Param                // $Text
	CmdSubst             // $(Cmd)
)

// A Part is one piece of a word.  Quoted pieces are neither split nor globbed.
type Part struct {
	Kind   Kind
	Quoted bool
	Text   string
	Cmd    List
}

// bare gives the text of a word that is one unquoted literal: only such a word
// can be a reserved word, a name to assign to or a descriptor's number.
func (w Word) bare() string {
	if len(w) == 1 && w[0].Kind == Literal && !w[0].Quoted {
		return w[0].Text
	}
	return ""
}
