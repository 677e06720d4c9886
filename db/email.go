package db

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Email is an address that passed ParseEmail. The zero value is no address.
type Email struct {
	typed     string
	canonical string
}

// ErrEmail says that a text is not an address mail can be sent to.
var ErrEmail = errors.New("not an email address")

// Limits of RFC 5321, section 4.5.3.1, in octets.
const (
	maxLocal   = 64
	maxAddress = 254
)

// ParseEmail is the only maker of an Email. Two spellings of one address have the same canonical form: trimmed, NFKC,
// case-folded, the domain as A-labels. What only quoting would allow, and what never shows, is refused.
func ParseEmail(s string) (Email, error) {
	typed := strings.TrimSpace(s)
	local, domain, ok := strings.Cut(typed, "@")
	if !ok || len(typed) > maxAddress || !utf8.ValidString(typed) {
		return Email{}, ErrEmail
	}
	canonicalLocal := fold(local)
	if !plainLocal(local) || !plainLocal(canonicalLocal) {
		return Email{}, ErrEmail
	}
	canonicalDomain, err := asciiDomain(domain)
	if err != nil {
		return Email{}, ErrEmail
	}
	canonical := canonicalLocal + "@" + canonicalDomain
	if len(canonical) > maxAddress {
		return Email{}, ErrEmail
	}
	return Email{typed, canonical}, nil
}

// String is the address as it was typed.
func (e Email) String() string { return e.typed }

// Canonical is the form by which addresses are compared.
func (e Email) Canonical() string { return e.canonical }

// Mailbox is the address without the dots before the at sign and without what follows a plus sign: many mail services put
// what is sent to all such spellings into one mailbox.
func (e Email) Mailbox() string { return mailbox(e.canonical) }

func mailbox(canonical string) string {
	local, domain, ok := strings.Cut(canonical, "@")
	if !ok {
		return ""
	}
	if plus := strings.IndexByte(local, '+'); plus > 0 {
		local = local[:plus]
	}
	return strings.ReplaceAll(local, ".", "") + "@" + domain
}

// IsZero tells that there is no address.
func (e Email) IsZero() bool { return e.canonical == "" }

// Envelope is the address as SMTP gets it: the local part as typed, the domain in ASCII.
func (e Email) Envelope() string {
	if e.IsZero() {
		return ""
	}
	return e.typed[:strings.IndexByte(e.typed, '@')] + e.canonical[strings.LastIndexByte(e.canonical, '@'):]
}

// fold makes texts that differ only in case or compatibility forms equal. Folding can undo the normal form, so it is
// normalized again.
func fold(s string) string {
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s)))
}

// plainLocal accepts a dot-atom (RFC 5322, section 3.2.3) that may hold letters, marks and digits of any script.
func plainLocal(s string) bool {
	if s == "" || len(s) > maxLocal || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return false
	}
	for _, r := range s {
		if r < utf8.RuneSelf {
			if !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(".!#$%&'*+-/=?^_`{|}~", r)) {
				return false
			}
		} else if !unicode.In(r, unicode.L, unicode.M, unicode.N) || invisible(r) {
			return false
		}
	}
	return true
}

// invisible tells letters and marks that show nothing, so that two addresses would look the same.
func invisible(r rune) bool {
	return r == '\u115f' || r == '\u1160' || r == '\u3164' || r == '\uffa0' || // Hangul fillers
		r == '\u034f' || r == '\u17b4' || r == '\u17b5' || unicode.In(r, unicode.Variation_Selector)
}

var domainProfile = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.Transitional(false), idna.StrictDomainName(true), idna.VerifyDNSLength(true))

func asciiDomain(s string) (string, error) {
	for _, r := range s {
		if r < utf8.RuneSelf && !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '.') ||
			unicode.In(r, unicode.C, unicode.Z) {
			return "", ErrEmail
		}
	}
	ascii, err := domainProfile.ToASCII(fold(s))
	if err != nil {
		return "", err
	}
	labels := strings.Split(ascii, ".")
	top := labels[len(labels)-1]
	if len(labels) < 2 || strings.Trim(top, "0123456789") == "" {
		return "", ErrEmail // a host without a domain, or an IP address
	}
	return ascii, nil
}
