package db

import (
	"strings"
	"testing"
	"unicode"
)

func TestParseEmail(t *testing.T) {
	for _, spellings := range [][]string{
		{"ann@mail.example", "ANN@MAIL.EXAMPLE", " ann@mail.example\n", "ａｎｎ@mail.example", "ann@ｍａｉｌ．example", "ann@mail。example", "ᵃnn@mail.example"},
		{"ann+x@mail.example", "Ann+X@mail.example"},
		{"strauss@mail.example", "strauß@mail.example", "STRAUẞ@mail.example", "STRAUSS@mail.example"},
		{"jose\u0301@mail.example", "josé@mail.example", "JOSÉ@mail.example"},
		{"ann@bücher.example", "ann@BÜCHER.example", "ann@bu\u0308cher.example", "ann@xn--bcher-kva.example", "ann@XN--BCHER-KVA.example"},
		{"i\u0307nci@mail.example", "İnci@mail.example"}, // the capital dotted i folds to an i and a dot
		{"σας@mail.example", "ΣΑΣ@mail.example", "σασ@mail.example"},
		{"ﬁn@mail.example", "fin@mail.example", "FIN@mail.example"},
		{"o'neil_a-b.c@mail.example", "O'NEIL_A-B.C@mail.example"},
	} {
		first, err := ParseEmail(spellings[0])
		if err != nil {
			t.Errorf("%q is refused", spellings[0])
			continue
		}
		for _, s := range spellings[1:] {
			if e, err := ParseEmail(s); err != nil || e.Canonical() != first.Canonical() {
				t.Errorf("%q is %q, not %q (%v)", s, e.Canonical(), first.Canonical(), err)
			}
		}
	}
	different := map[string]string{}
	for _, s := range []string{"ann@mail.example", "a.nn@mail.example", "ann+a@mail.example", "ann+b@mail.example", "ann@mai1.example", "ann@a.mail.example", "anı@mail.example",
		"ani@mail.example", "аnn@mail.example" /* Cyrillic a */, "ann@mail.example.example"} {
		e, err := ParseEmail(s)
		if err != nil {
			t.Errorf("%q is refused", s)
		}
		if other, ok := different[e.Canonical()]; ok {
			t.Errorf("%q and %q are one address", s, other)
		}
		different[e.Canonical()] = s
	}
	for _, s := range []string{"", "ann", "@mail.example", "ann@", "ann@mail", "ann@mail.1", "ann@192.0.2.1", "ann@[192.0.2.1]", "ann mary@mail.example", `"ann"@mail.example`, "ann@@mail.example",
		"ann@mail@example.example", ".ann@mail.example", "ann.@mail.example", "a..b@mail.example", "ann@mail..example", "ann@.mail.example", "ann@-mail.example", "ann@mail_x.example",
		"ann(x)@mail.example", "ann＋x@mail.example", "<ann@mail.example>", "Ann <ann@mail.example>", "ann@mail.example, ben@mail.example", "ann@mail.example;ben@mail.example", "ann\r\nBcc: x@mail.example", "ann\x00@mail.example",
		"ann@mail.example> SIZE=1", "an\u200bn@mail.example", "an\u202en@mail.example", "an\u00adn@mail.example", "ann\u3164@mail.example", "ann@ma\u200bil.example", "\xff@mail.example",
		strings.Repeat("a", 65) + "@mail.example", "ann@" + strings.Repeat("a", 64) + ".example", "ann@" + strings.Repeat("abcdefgh.", 30) + "example"} {
		if e, err := ParseEmail(s); err == nil {
			t.Errorf("%q became %q", s, e.Canonical())
		}
	}
}

func TestMailbox(t *testing.T) {
	for s, want := range map[string]string{"ann@mail.example": "ann@mail.example", "Ann+Al@mail.example": "ann@mail.example", "ann+a+b@mail.example": "ann@mail.example", "+ann@mail.example": "+ann@mail.example", "A.n.n+al@Mail.example": "ann@mail.example"} {
		e, err := ParseEmail(s)
		if err != nil || e.Mailbox() != want {
			t.Errorf("%s: %s, %v", s, e.Mailbox(), err)
		}
	}
	if m := (Email{}).Mailbox(); m != "" {
		t.Errorf("no address: %q", m)
	}
}

func FuzzParseEmail(f *testing.F) {
	for _, s := range []string{"ann@mail.example", "ＡNN+x@Bücher.example", "İ@x.example", "a@xn--a.example", "a@x> SIZE=1", "\u0345a@x.example", "ß\u0323\u0307@ẞ.example"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := ParseEmail(s)
		if err != nil {
			if !e.IsZero() {
				t.Fatalf("refused, and yet %q", e.Canonical())
			}
			return
		}
		for _, again := range []string{e.String(), e.Canonical(), " " + e.String() + "\t"} {
			if other, err := ParseEmail(again); err != nil || other.Canonical() != e.Canonical() {
				t.Fatalf("%q: %q is not %q (%v)", s, other.Canonical(), e.Canonical(), err)
			}
		}
		for _, text := range []string{e.Canonical(), e.Envelope()} {
			if strings.Count(text, "@") != 1 || strings.ContainsFunc(text, func(r rune) bool {
				return unicode.IsControl(r) || unicode.IsSpace(r) || strings.ContainsRune(`<>()[]\,;:"`, r)
			}) {
				t.Fatalf("%q became %q", s, text)
			}
		}
		if _, domain, _ := strings.Cut(e.Envelope(), "@"); strings.ContainsFunc(domain, func(r rune) bool { return r > unicode.MaxASCII }) {
			t.Fatalf("the envelope's domain is %q", domain)
		}
	})
}
