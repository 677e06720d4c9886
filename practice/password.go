package practice

import (
	"cmp"
	"crypto/rand"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// Cost of a password hash: OWASP's second recommended argon2id setting, 19 MiB and two passes.
const (
	hashMemory  = 19 * 1024 // KiB
	hashPasses  = 2
	hashThreads = 1
	hashSlots   = 4 // hashes at once: bounds memory and CPU under a flood of sign-ins
)

// Length of a password, in characters.
const (
	minPassword = 12
	maxPassword = 128
)

// hash makes a PHC string of a password; it waits for a free slot.
func (p *Practice) hash(password string) string {
	hash, _ := p.hashIf(password, func() error { return nil })
	return hash
}

// hashIf is hash for what may be over once a slot is free: many who race with one link wait for the first of them, not for a hash
// each.
func (p *Practice) hashIf(password string, still func() error) (string, error) {
	p.slots <- struct{}{}
	defer func() { <-p.slots }()
	if err := still(); err != nil {
		return "", err
	}
	salt := make([]byte, 16)
	rand.Read(salt)
	key := argon2.IDKey(spelled(password), salt, hashPasses, hashMemory, hashThreads, 32)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, hashMemory, hashPasses, hashThreads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key)), nil
}

// unknown is a hash that no password has: comparing with it costs what comparing with a real one does.
const unknown = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// matches compares a password with a hash; an empty hash costs the same and never matches.
func (p *Practice) matches(hash, password string) bool {
	if hash == "" || utf8.RuneCountInString(password) > maxPassword {
		hash, password = unknown, ""
	}
	var version, memory, passes, threads int
	var salt64, key64 string
	if _, err := fmt.Sscanf(hash, "$argon2id$v=%d$m=%d,t=%d,p=%d$%s", &version, &memory, &passes, &threads, &salt64); err != nil {
		return false
	}
	salt64, key64 = salt64[:22], salt64[23:] // 16 bytes of salt are 22 characters
	salt, _ := base64.RawStdEncoding.DecodeString(salt64)
	want, _ := base64.RawStdEncoding.DecodeString(key64)
	p.slots <- struct{}{}
	defer func() { <-p.slots }()
	got := argon2.IDKey(spelled(password), salt, uint32(passes), uint32(memory), uint8(threads), 32)
	return subtle.ConstantTimeCompare(got, want) == 1 && hash != unknown
}

// spelled is a password in the one form in which it is hashed: keyboards spell an accented letter in different ways.
func spelled(password string) []byte { return norm.NFKC.Bytes([]byte(password)) }

//go:embed common_passwords.txt
var commonPasswordList string

// commonWords are the list's lines, the longest first, so that a phrase goes before the words in it.
var commonWords = func() (words []string) {
	for line := range strings.Lines(commonPasswordList) {
		if word := letters(line); word != "" && line[0] != '#' {
			words = append(words, word)
		}
	}
	return longestFirst(words)
}()

//go:embed leaked_passwords.txt
var leakedPasswordList string

// leakedPasswords are that list's lines, as letters tells them, read when somebody first chooses a password.
var leakedPasswords = sync.OnceValue(func() map[string]bool {
	leaked := map[string]bool{}
	for line := range strings.Lines(leakedPasswordList) {
		if line[0] != '#' {
			leaked[letters(line)] = true
		}
	}
	return leaked
})

// sequences are what fingers and alphabets make of themselves.
var sequences = []string{
	"abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "azertyuiop",
	"1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p", "qazwsxedcrfvtgbyhnujmikolp", "1q2w3e4r5t6y7u8i9o0p",
}

// minLeft is how many letters and digits of a password nobody must be able to foretell; minSequence is the shortest run
// that counts as foretold.
const (
	minLeft     = 6
	minSequence = 4
)

// passwordFault says why a password can't be chosen; empty: it can. owner is what names whom it is for, and the practice.
func passwordFault(password string, owner ...string) string {
	switch n := utf8.RuneCountInString(password); {
	case !utf8.ValidString(password):
		return "Use characters that a keyboard can type."
	case n < minPassword:
		return fmt.Sprintf("Use at least %d characters. A few words that don't belong together are easy to remember.", minPassword)
	case n > maxPassword:
		return fmt.Sprintf("Use at most %d characters.", maxPassword)
	case repeats(password), leakedPasswords()[withoutTail(letters(password))], guessable(letters(password), owner), guessable(letters(withoutDisguise.Replace(strings.ToLower(password))), owner):
		return "That password is easy to guess. Use a few words that don't belong together, and no names or dates of yours."
	}
	return ""
}

// repeats tells that a password is made of few characters, or of a short one again and again.
func repeats(password string) bool {
	text := []rune(strings.ToLower(password))
	distinct := map[rune]bool{}
	for _, r := range text {
		distinct[r] = true
	}
	if len(distinct) < 5 {
		return true
	}
	for period := 1; period < minPassword; period++ {
		again := true
		for i := period; i < len(text) && again; i++ {
			again = text[i] == text[i-period]
		}
		if again && len(text) > period {
			return true
		}
	}
	return false
}

// withoutTail is a text without the digits at its ends, which everybody adds, unless there is nothing else.
func withoutTail(text string) string { return cmp.Or(strings.Trim(text, "0123456789"), text) }

var withoutDisguise = strings.NewReplacer("@", "a", "4", "a", "3", "e", "1", "i", "!", "i", "0", "o", "$", "s", "5", "s", "7", "t")

// guessable tells that too little is left of a password without the words and runs that everybody tries.
func guessable(text string, owner []string) bool {
	if text == "" {
		return false // signs only
	}
	for _, word := range append(ownWords(owner), commonWords...) {
		text = strings.ReplaceAll(text, word, " ")
	}
	left := 0
	for _, part := range strings.Fields(text) {
		left += utf8.RuneCountInString(withoutSequences(part))
	}
	return left < minLeft
}

// ownWords are the names and addresses of a password's owner and of the practice, whole and word by word.
func ownWords(owner []string) (words []string) {
	for _, name := range owner {
		parts := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		for _, part := range append(parts, name) {
			if word := letters(part); utf8.RuneCountInString(word) >= 3 {
				words = append(words, word)
			}
		}
	}
	return longestFirst(words)
}

func withoutSequences(text string) string {
	var left strings.Builder
	for text != "" {
		n := 0
		for _, s := range sequences {
			n = max(n, sharedStart(text, s), sharedStart(text, reversed(s)))
		}
		if n < minSequence {
			_, n = utf8.DecodeRuneInString(text)
			left.WriteString(text[:n])
		}
		text = text[n:]
	}
	return left.String()
}

// sharedStart is how far text goes along a sequence, beginning anywhere in it.
func sharedStart(text, sequence string) int {
	at := strings.IndexByte(sequence, text[0])
	if at < 0 {
		return 0
	}
	n := 0
	for n < len(text) && at+n < len(sequence) && text[n] == sequence[at+n] {
		n++
	}
	return n
}

func reversed(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}

// letters is a text's letters and digits, in one case and form, and without accents: whoever guesses tries both. Marks without which
// a letter is another one, as Hindi and Japanese have them, stay.
func letters(text string) string {
	return norm.NFKC.String(strings.Map(func(r rune) rune {
		switch {
		case r >= '\u0300' && r <= '\u036f': // the accents of Latin, Greek and Cyrillic
			return -1
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsMark(r):
			return unicode.ToLower(r)
		}
		return -1
	}, norm.NFKD.String(text)))
}

func longestFirst(words []string) []string {
	slices.SortStableFunc(words, func(a, b string) int { return len(b) - len(a) })
	return words
}
