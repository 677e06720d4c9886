package mail

import (
	"strings"
	"testing"
)

func TestTextOfALetter(t *testing.T) {
	letter := compose(t, "Welcome", "Grüße an {client_first_name}: ein langer Absatz, der über mehr als eine Zeile geht, sodass er umbrochen wird.\n\n{portal_link}", toAnn(t))
	text, err := Text(letter.Bytes)
	if err != nil || text != strings.ReplaceAll(letter.Text, "\r\n", "\n") {
		t.Errorf("%q, %v, want %q", text, err, letter.Text)
	}
	if _, err := Text([]byte("Content-Type: multipart/mixed\r\n\r\nno boundary")); err == nil {
		t.Error("a damaged letter was read")
	}
}
