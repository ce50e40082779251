package expr

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// shape is a compiled condition without its literals, shared by all conditions that differ in nothing else. Source: spec 08 §12.5.
type shape struct {
	program *Program
	key     string
	users   int
}

// lifting takes the literals out of a text without parsing it.
type lifting struct {
	text       string
	key        strings.Builder
	parameters []ref.Val
	starts     []int32 // of the literals, in code points
	at         int
	points     int32 // code points before at
	before     byte  // the last character that is no space, 0 at the start
}

// lift returns the text with each literal replaced by a mark of its type, and the literals. It returns false for texts that it does not
// understand well enough, which are then not shared.
func lift(text string) (*lifting, bool) {
	l := &lifting{text: text}
	for l.at < len(text) {
		if !l.step() {
			return nil, false
		}
	}
	return l, true
}

func (l *lifting) step() bool {
	switch char := l.text[l.at]; {
	case char == '"' || char == '\'':
		return l.quoted(char)
	case char == '`', char == 0, strings.HasPrefix(l.text[l.at:], "//"):
		return false
	case isDigit(char), char == '-' && strings.IndexByte("\x00=<>(,[&|?:", l.before) >= 0 && l.at+1 < len(l.text) && isDigit(l.text[l.at+1]):
		return l.number()
	case isLetter(char):
		end := l.at
		for end < len(l.text) && (isLetter(l.text[end]) || isDigit(l.text[end])) {
			end++
		}
		// A quote after a letter would be of bytes or a raw text.
		if end < len(l.text) && (l.text[end] == '"' || l.text[end] == '\'') {
			return false
		}
		l.copy(end)
	default:
		_, size := utf8.DecodeRuneInString(l.text[l.at:])
		l.copy(l.at + size)
	}
	return true
}

func isDigit(char byte) bool { return char >= '0' && char <= '9' }

func isLetter(char byte) bool { return char == '_' || char|0x20 >= 'a' && char|0x20 <= 'z' }

func (l *lifting) copy(end int) {
	part := l.text[l.at:end]
	l.key.WriteString(part)
	l.advance(end)
}

func (l *lifting) advance(end int) {
	part := l.text[l.at:end]
	l.points += int32(utf8.RuneCountInString(part))
	if trimmed := strings.TrimRight(part, " \t\r\n"); trimmed != "" {
		l.before = trimmed[len(trimmed)-1]
	}
	l.at = end
}

func (l *lifting) take(mark string, value ref.Val, end int) bool {
	l.key.WriteString(mark)
	l.parameters = append(l.parameters, value)
	l.starts = append(l.starts, l.points)
	l.advance(end)
	return true
}

// quoted takes a text in plain quotes. An index like a["b"] stays: it is part of where the condition looks.
func (l *lifting) quoted(quote byte) bool {
	end := l.at + 1
	for end < len(l.text) && l.text[end] != quote && l.text[end] != '\n' {
		if l.text[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(l.text) || l.text[end] != quote {
		return false
	}
	content := l.text[l.at+1 : end]
	end++
	if content == "" && end < len(l.text) && l.text[end] == quote {
		return false // three quotes
	}
	if l.isIndex(end) {
		l.copy(end)
		return true
	}
	value, ok := unquoted(content)
	return ok && l.take("\x00s", types.String(value), end)
}

func (l *lifting) isIndex(end int) bool {
	if l.before != '[' || l.at < 2 || l.text[l.at-1] != '[' || end >= len(l.text) || l.text[end] != ']' {
		return false
	}
	into := l.text[l.at-2]
	return isLetter(into) || isDigit(into) || into == ']' || into == ')'
}

// plainEscapes are the escapes whose meaning does not depend on what follows.
var plainEscapes = map[byte]byte{
	'\\': '\\', '"': '"', '\'': '\'', '?': '?', '`': '`',
	'a': '\a', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v',
}

func unquoted(content string) (string, bool) {
	if strings.IndexByte(content, '\\') < 0 {
		return content, utf8.ValidString(content)
	}
	var text strings.Builder
	for at := 0; at < len(content); at++ {
		if content[at] != '\\' {
			text.WriteByte(content[at])
			continue
		}
		at++
		char, ok := plainEscapes[content[at]]
		if !ok {
			return "", false
		}
		text.WriteByte(char)
	}
	return text.String(), utf8.ValidString(text.String())
}

func (l *lifting) number() bool {
	end := l.at
	if l.text[end] == '-' {
		end++
	}
	digits := func() {
		for end < len(l.text) && isDigit(l.text[end]) {
			end++
		}
	}
	digits()
	whole := end
	if end+1 < len(l.text) && l.text[end] == '.' && isDigit(l.text[end+1]) {
		end++
		digits()
	}
	if exponent := exponentEnd(l.text[end:]); exponent > 0 {
		end += exponent
		digits()
	}
	// A letter would make it another kind of number. A point before would make it a fraction.
	if end < len(l.text) && (isLetter(l.text[end]) || l.text[end] == '.') || l.before == '.' {
		return false
	}
	token := l.text[l.at:end]
	if end == whole {
		number, err := strconv.ParseInt(token, 10, 64)
		return err == nil && l.take("\x00i", types.Int(number), end)
	}
	number, err := strconv.ParseFloat(token, 64)
	return err == nil && l.take("\x00d", types.Double(number), end)
}

// exponentEnd is the length of the exponent's start, up to its first digit.
func exponentEnd(rest string) int {
	if rest == "" || rest[0]|0x20 != 'e' {
		return 0
	}
	at := 1
	if at < len(rest) && (rest[at] == '+' || rest[at] == '-') {
		at++
	}
	if at < len(rest) && isDigit(rest[at]) {
		return at
	}
	return 0
}

// compileShape compiles a text with its literals as parameters. It returns false if the parser sees other literals than lift did.
func (l *lifting) compileShape() (program *Program, same bool, err error) {
	program, _, err = compile(l.text, func(b *builder, tree *ast.AST) {
		b.lifted = l.match(tree)
		same = len(b.lifted) == len(l.parameters)
	})
	return program, same, err
}

func (l *lifting) match(tree *ast.AST) map[int64]int {
	byStart := make(map[int32]int, len(l.starts))
	for at, start := range l.starts {
		byStart[start] = at
	}
	found := map[int64]int{}
	ast.PreOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.LiteralKind {
			return
		}
		where, known := tree.SourceInfo().GetOffsetRange(e.ID())
		at, isLifted := byStart[where.Start]
		if known && isLifted && e.AsLiteral().Type() == l.parameters[at].Type() && e.AsLiteral().Equal(l.parameters[at]) == types.True {
			found[e.ID()] = at
			delete(byStart, where.Start)
		}
	}))
	return found
}
