package mail

import (
	"net"
	"strings"
	"testing"
)

// together is a relay that offers PIPELINING and holds its answers back until DATA has come: then it gives these three.
func together(t *testing.T, mail, rcpt, data string) (r Relay, heard *[]string) {
	t.Helper()
	heard = new([]string)
	return relayTo(t, "smtp://"+talker(t, func(_ net.Conn, line string) string {
		*heard = append(*heard, strings.Fields(line + " -")[0])
		switch {
		case strings.HasPrefix(line, "EHLO"):
			return "250-ok\r\n250 PIPELINING"
		case strings.HasPrefix(line, "MAIL"), strings.HasPrefix(line, "RCPT"):
			return ""
		case line == "DATA":
			return mail + "\r\n" + rcpt + "\r\n" + data
		}
		return byTheBook(line)
	})+"?tls=none"), heard
}

func TestCommandsGoTogetherWhereTheyMay(t *testing.T) {
	r, heard := together(t, "250 ok", "250 ok", "354 go on")
	l := lineTo(t, r)
	for range 2 {
		if got := sendSmall(t, l); got.Outcome != Accepted {
			t.Fatalf("%+v", got)
		}
	}
	if got := strings.Join(*heard, " "); got != "EHLO MAIL RCPT DATA Subject: - ..dots and . MAIL RCPT DATA Subject: - ..dots and ." {
		t.Error(got)
	}
}

// A refusal leaves the connection fit for the next letter, unless the relay would take a letter now: it gets none, not even an
// empty one.
func TestRefusalOfCommandsThatWentTogether(t *testing.T) {
	for _, c := range []struct {
		name             string
		mail, rcpt, data string
		want             Outcome
		kept             bool
	}{
		{"the recipient", "250 ok", "550 5.1.1 no", "554 no valid recipients", Rejected, true},
		{"the recipient, for now", "250 ok", "450 4.2.0 later", "503 no valid recipients", Deferred, true},
		{"the sender, for now", "451 4.3.0 later", "503 MAIL first", "503 MAIL first", Deferred, true},
		{"the letter", "250 ok", "250 ok", "552 5.3.4 no", Rejected, true},
		{"the recipient, and it waits for the letter", "250 ok", "550 5.1.1 no", "354 go on", Rejected, false},
		{"the sender, and it takes the recipient", "451 4.3.0 later", "250 ok", "354 go on", Deferred, false},
		{"everything: it goes", "421 4.3.2 bye", "421 4.3.2 bye", "421 4.3.2 bye", Deferred, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, heard := together(t, c.mail, c.rcpt, c.data)
			l := lineTo(t, r)
			if got := sendSmall(t, l); got.Outcome != c.want {
				t.Errorf("%+v", got)
			}
			if kept := l.client != nil; kept != c.kept {
				t.Errorf("the connection was kept: %v", kept)
			}
			if got := strings.Join(*heard, " "); strings.Contains(got, ".") || strings.HasSuffix(got, "RSET") != c.kept {
				t.Errorf("it heard %s", got)
			}
		})
	}
}
