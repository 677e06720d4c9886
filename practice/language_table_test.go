package practice

import (
	"slices"
	"strings"
	"testing"
	"time"

	"anteroom/mail"
)

// Every language has every word, and its messages say with the same placeholders what the first one's say.
func TestLanguagesAreComplete(t *testing.T) {
	first := languages[0]
	for _, l := range languages {
		for kind, english := range first.messages {
			m := l.messages[kind]
			want, got := mail.Placeholders(english.Subject, english.Body), mail.Placeholders(m.Subject, m.Body)
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(want, got) {
				t.Errorf("%s, %s: placeholders %v, want %v", l.Name, kind, got, want)
			}
			if wrong := messageFaults(kind, m, ""); len(wrong) > 0 {
				t.Errorf("%s, %s: %v", l.Name, kind, wrong)
			}
			if l.buttons[kind.About()] == "" {
				t.Errorf("%s: no words on the button of %s", l.Name, kind)
			}
		}
		pairs := map[string][2]accountMessage{
			"new password": {first.newPassword, l.newPassword}, "new address": {first.newAddress, l.newAddress}, "address asked": {first.addressAsked, l.addressAsked},
			"address released": {first.addressReleased, l.addressReleased},
		}
		for what, english := range first.notices {
			pairs[string(what)] = [2]accountMessage{english, l.notices[what]}
		}
		for name, pair := range pairs {
			want, got := pair[0], pair[1]
			if got.message == nil || !slices.Equal(want.message.Placeholders(), got.message.Placeholders()) || (want.button == "") != (got.button == "") || (want.why == "") != (got.why == "") {
				t.Errorf("%s: %s isn't what it is in %s", l.Name, name, first.Name)
			}
		}
		if l.browser("") == "" || !strings.Contains(l.browser("Firefox on Windows"), "Firefox") {
			t.Errorf("%s: no words for a browser", l.Name)
		}
		for _, words := range []string{l.sentBy, l.why} {
			if !strings.Contains(words, "{practice_name}") {
				t.Errorf("%s: %q names no practice", l.Name, words)
			}
		}
		if !strings.Contains(l.sentBy, "{sender_name}") || l.notMeant == "" || l.yourTherapist == "" {
			t.Errorf("%s: words are missing", l.Name)
		}
	}
}

func TestSpanishNamesAndTimes(t *testing.T) {
	spanish := languages[1]
	for want, names := range map[string][]string{
		"": nil, "Ana Ruiz": {"Ana Ruiz"}, "Ana y Luis": {"Ana", "Luis"}, "Ana, Luis e Inés": {"Ana", "Luis", "Inés"},
		"Ana e Hilda": {"Ana", "Hilda"}, "Ana y Hielo": {"Ana", "Hielo"}, "Luis e Íñigo": {"Luis", "Íñigo"},
	} {
		if got := spanish.join(names); got != want {
			t.Errorf("%v: %q, want %q", names, got, want)
		}
	}
	for want, at := range map[string]time.Time{
		"miércoles, 1 de enero de 2025, 12:05 a. m.":    time.Date(2025, 1, 1, 0, 5, 0, 0, time.UTC),
		"sábado, 28 de febrero de 2026, 12:00 p. m.":    time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC),
		"domingo, 15 de septiembre de 2030, 3:09 p. m.": time.Date(2030, 9, 15, 15, 9, 0, 0, time.UTC),
	} {
		if got := spanish.minute(at); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
