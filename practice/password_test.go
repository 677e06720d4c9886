package practice

import (
	"strings"
	"testing"
)

func TestPasswordFault(t *testing.T) {
	owner := []string{"olga@willow.example", "Olga Ortiz-Núñez", "Willow Street Counseling", "1984-03-17"}
	for _, password := range []string{
		"short", "elevenchars", strings.Repeat("a quiet place ", 10), "ends in \xff bytes",
		"aaaaaaaaaaaa", "121212121212", "abcabcabcabcabc", "            ", "Hunter1Hunter1",
		"123456789012", "qwertyuiop123", "zyxwvutsrqponm", "1qaz2wsx3edc", "poiuytrewq12",
		"Password1234", "p@ssw0rd1234", "passwordpassword", "Welcome2026!!", "ILoveYou!!!!1", "Summer2026!!!", "LetMeIn123456",
		"correct horse battery staple", "This is my password!",
		"unbelievable", "Leave me alone!", "CounterStrike99", "ghbdtnrfrltkf", "amsterdam-2019", // these leaked
		"olga@willow.example", "OlgaOrtiz1984", "willowstreet2026", "Willow Street Counseling", "Núñez 17.03.1984", "Nunez 17.03.1984",
		"contrasena123", "contraseña123", "contrasen\u0303a123", "Pässwörd1234", "Ünbelievåble", "йцукенгшщзхъ",
	} {
		if passwordFault(password, owner...) == "" {
			t.Errorf("%q was accepted", password)
		}
	}
	for _, password := range []string{
		"a quiet place to wait", "twelve chars", "kX9$dq1234pT", "四つの静かな灯りが海辺に光る", "🐢🦊🐙🦉🐝🦋🐌🦀🐬🦒🐧🦔",
		"olga likes loud trombones", "कमल नदी पहाड़ दीपक", "눈사람과 조용한 등대지기", strings.Repeat("ab1$", 2) + "velvet-anchor",
	} {
		if fault := passwordFault(password, owner...); fault != "" {
			t.Errorf("%q: %s", password, fault)
		}
	}
}

// At least 3,000 passwords that leaked and are long enough are known, in the form in which a password is looked up.
func TestLeakedPasswordsAreMany(t *testing.T) {
	if n := len(leakedPasswords()); n < 3000 {
		t.Errorf("%d are known", n)
	}
	for leaked := range leakedPasswords() {
		if withoutTail(letters(leaked)) != leaked {
			t.Errorf("%q will never be found", leaked)
		}
	}
}

// The longest password that is looked into, made of what it is looked through for, and a long name beside it.
func BenchmarkPasswordFault(b *testing.B) {
	password, name := strings.Repeat("qwertz1q2w3e4r", 9), strings.Repeat("name ", 40)
	for b.Loop() {
		passwordFault(password, name)
	}
}

func TestPasswordIsHashedInOneForm(t *testing.T) {
	p := New(nil, Config{})
	hash := p.hash("cafe\u0301 on the corner")
	if !p.matches(hash, "caf\u00e9 on the corner") {
		t.Error("an accent typed in another way does not match")
	}
	if p.matches(hash, "cafe on the corner") || p.matches("", "") || p.matches(hash, strings.Repeat("x", maxPassword+1)) {
		t.Error("a wrong password matches")
	}
}
