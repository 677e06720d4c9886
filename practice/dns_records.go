package practice

import (
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Records by which the receivers of mail judge whether it is the practice's: SPF (RFC 7208), DKIM (RFC 6376) and DMARC
// (RFC 7489). What is read here are strangers' words; nothing here looks anything up.

// spfRecord is what a domain says of the servers that may send its mail.
type spfRecord struct {
	text     string
	terms    []spfTerm // up to and with "all": what follows it counts for nothing
	redirect string    // the domain whose record decides when no term does; empty: there is none, or "all" decides
}

// spfTerm is one mechanism of it.
type spfTerm struct {
	qualifier string // "+", "-", "~" or "?"
	text      string // all of it but the qualifier, in lower case
	mechanism string
	domain    string // that it names; empty: the record's own, or none
}

// maxSPFLookups is how often a receiver looks something up for one record, before it takes the record for broken.
const maxSPFLookups = 10

// isSPF tells an SPF record from the other texts at a domain.
func isSPF(text string) bool {
	version, _, _ := strings.Cut(text, " ")
	return strings.EqualFold(version, "v=spf1")
}

// parseSPF reads an SPF record as strictly as receivers do: one term that they don't know spoils all of it. Its error is a
// part of a sentence that names the term.
func parseSPF(text string) (r spfRecord, err error) {
	r.text = text
	words := strings.FieldsFunc(text, func(c rune) bool { return c == ' ' })
	if len(words) == 0 || !isSPF(text) {
		return r, errors.New("it doesn't begin with v=spf1")
	}
	var explained, ended bool
	for _, word := range words[1:] {
		if name, value, ok := spfModifier(word); ok {
			switch {
			case value == "" && (name == "redirect" || name == "exp"):
				return r, fmt.Errorf("“%s” names no domain", word)
			case name == "redirect" && r.redirect != "", name == "exp" && explained:
				return r, fmt.Errorf("“%s=” stands in it twice", name)
			case name == "redirect":
				r.redirect = value
			case name == "exp":
				explained = true
			}
			continue // others are for whoever knows them
		}
		term, err := parseSPFTerm(word)
		if err != nil {
			return r, err
		}
		if !ended {
			r.terms = append(r.terms, term)
		}
		ended = ended || term.mechanism == "all"
	}
	if ended {
		r.redirect = ""
	}
	return r, nil
}

// spfModifier reads name=value.
func spfModifier(word string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(word, "=")
	if !ok || name == "" || strings.ContainsAny(name, ":/") {
		return "", "", false
	}
	for i, c := range name {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789-_.", c)) {
			return "", "", false
		}
	}
	return strings.ToLower(name), value, true
}

func parseSPFTerm(word string) (t spfTerm, err error) {
	wrong := fmt.Errorf("“%s” is nothing that SPF knows", word)
	t.qualifier = "+"
	rest := word
	if strings.ContainsAny(word[:1], "+-~?") {
		t.qualifier, rest = word[:1], word[1:]
	}
	t.text = strings.ToLower(rest)
	name, value, named := strings.Cut(rest, ":")
	if !named {
		if at := strings.Index(rest, "/"); at >= 0 {
			name, value = rest[:at], rest[at:]
		}
	}
	t.mechanism = strings.ToLower(name)
	switch t.mechanism {
	case "all":
		if rest != name {
			return t, wrong
		}
	case "include", "exists":
		if t.domain = value; value == "" || strings.Contains(value, "/") && !strings.Contains(value, "%{") {
			return t, wrong
		}
	case "a", "mx":
		domain, prefix, sized := strings.Cut(value, "/")
		if t.domain = domain; named && domain == "" || sized && !spfPrefix(prefix) {
			return t, wrong
		}
	case "ptr":
		if t.domain = value; named == (value == "") || strings.Contains(value, "/") {
			return t, wrong
		}
	case "ip4", "ip6":
		address, err := netip.ParsePrefix(value)
		if err != nil {
			var single netip.Addr
			single, err = netip.ParseAddr(value)
			address = netip.PrefixFrom(single, 0)
		}
		if err != nil || address.Addr().Zone() != "" || address.Addr().Is4() != (t.mechanism == "ip4") {
			return t, wrong
		}
	default:
		return t, wrong
	}
	if !plainText(t.domain) {
		return t, wrong
	}
	return t, nil
}

// spfPrefix tells whether what follows a slash is 24, 24//64 or /64.
func spfPrefix(s string) bool {
	four, six, both := strings.Cut(s, "//")
	if strings.HasPrefix(s, "/") {
		four, six, both = "", s[1:], true
	}
	length := func(s string, most int) bool {
		n, err := strconv.Atoi(s)
		return err == nil && n >= 0 && n <= most && s == strconv.Itoa(n)
	}
	return (four == "" && both || length(four, 32)) && (!both || length(six, 128))
}

// all is what the record says of every other server: "+all" and so on; empty: nothing.
func (r spfRecord) all() string {
	if n := len(r.terms); n > 0 && r.terms[n-1].mechanism == "all" {
		return r.terms[n-1].qualifier + "all"
	}
	return ""
}

// with is the record with one mechanism more, where it counts: before "all". A domain has one record only, so what is there
// already stays.
func (r spfRecord) with(mechanism string) string {
	words := strings.FieldsFunc(r.text, func(c rune) bool { return c == ' ' })
	at := slices.IndexFunc(words, func(word string) bool {
		if name, _, ok := spfModifier(word); ok {
			return name == "redirect"
		}
		t, err := parseSPFTerm(word)
		return err == nil && t.mechanism == "all"
	})
	if at < 0 {
		at = len(words)
	}
	return strings.Join(slices.Insert(words, at, mechanism), " ")
}

// recordTag is one name=value of a DKIM or a DMARC record.
type recordTag struct{ name, value string }

// parseTags reads a list of tags. Its error is a part of a sentence.
func parseTags(text string) (tags []recordTag, err error) {
	for part := range strings.SplitSeq(text, ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue // the last one may end with a semicolon
		}
		name, value, ok := strings.Cut(part, "=")
		if name, value = strings.TrimSpace(name), strings.TrimSpace(value); !ok || name == "" || strings.ContainsAny(name, " \t") {
			return nil, fmt.Errorf("“%s” is no tag with a value", part)
		}
		if slices.ContainsFunc(tags, func(t recordTag) bool { return t.name == name }) {
			return nil, fmt.Errorf("“%s=” stands in it twice", name)
		}
		tags = append(tags, recordTag{name, value})
	}
	return tags, nil
}

func tagValue(tags []recordTag, name string) (value string, ok bool) {
	for _, t := range tags {
		if t.name == name {
			return t.value, true
		}
	}
	return "", false
}

// dkimKey is what a DKIM record says.
type dkimKey struct {
	revoked bool
	testing bool
	bits    int // of an RSA key
}

// What a DKIM key must have.
const (
	minDKIMBits  = 1024
	goodDKIMBits = 2048
)

// parseDKIM reads a DKIM record. Its error is a part of a sentence.
func parseDKIM(text string) (k dkimKey, err error) {
	tags, err := parseTags(text)
	if err != nil {
		return k, err
	}
	if version, ok := tagValue(tags, "v"); ok && (version != "DKIM1" || tags[0].name != "v") {
		return k, errors.New("it doesn't begin with v=DKIM1")
	}
	key, ok := tagValue(tags, "p")
	if !ok {
		return k, errors.New("it holds no key (p=)")
	}
	if hashes, ok := tagValue(tags, "h"); ok && !listed(hashes, "sha256") {
		return k, errors.New("it allows no SHA-256 (h=)")
	}
	if services, ok := tagValue(tags, "s"); ok && !listed(services, "*") && !listed(services, "email") {
		return k, errors.New("it isn't for mail (s=)")
	}
	flags, _ := tagValue(tags, "t")
	k.testing = listed(flags, "y")
	if key = strings.Join(strings.Fields(key), ""); key == "" {
		k.revoked = true
		return k, nil
	}
	data, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		return k, errors.New("its key (p=) isn't whole: copy it again, all of it")
	}
	kind, ok := tagValue(tags, "k")
	if !ok {
		kind = "rsa"
	}
	switch kind {
	case "rsa":
		if k.bits = rsaBits(data); k.bits == 0 {
			return k, errors.New("its key (p=) isn't whole: copy it again, all of it")
		}
		if k.bits < minDKIMBits {
			return k, fmt.Errorf("its key has %d bits, and receivers ask for %d at least", k.bits, minDKIMBits)
		}
	case "ed25519":
		if len(data) != ed25519.PublicKeySize {
			return k, errors.New("its key (p=) isn't whole: copy it again, all of it")
		}
	default:
		return k, fmt.Errorf("“k=%s” is no kind of key that receivers know", kind)
	}
	return k, nil
}

// rsaBits is how long an RSA key is, in either of the two ways in which they are written; 0: it is none.
func rsaBits(data []byte) int {
	if key, err := x509.ParsePKIXPublicKey(data); err == nil {
		if key, ok := key.(*rsa.PublicKey); ok {
			return key.N.BitLen()
		}
		return 0
	}
	if key, err := x509.ParsePKCS1PublicKey(data); err == nil {
		return key.N.BitLen()
	}
	return 0
}

// listed tells whether a value is one of a list with colons.
func listed(list, value string) bool {
	for one := range strings.SplitSeq(list, ":") {
		if strings.TrimSpace(one) == value {
			return true
		}
	}
	return false
}

// dmarcPolicy is what a domain asks of the receivers of mail that isn't its own.
type dmarcPolicy struct {
	policy     string // none, quarantine or reject
	subdomains string // the same for domains below this one
	reports    string // where reports go
	strictSPF  bool
	strictDKIM bool
}

// isDMARC tells a DMARC record from other texts: what doesn't begin so isn't one.
func isDMARC(text string) bool {
	version, _, _ := strings.Cut(text, ";")
	name, value, _ := strings.Cut(version, "=")
	return strings.TrimSpace(name) == "v" && strings.TrimSpace(value) == "DMARC1"
}

// parseDMARC reads a DMARC record. Its error is a part of a sentence.
func parseDMARC(text string) (d dmarcPolicy, err error) {
	if !isDMARC(text) {
		return d, errors.New("it doesn't begin with v=DMARC1")
	}
	tags, err := parseTags(text)
	if err != nil {
		return d, err
	}
	d.reports, _ = tagValue(tags, "rua")
	policies := []string{"none", "quarantine", "reject"}
	policy, ok := tagValue(tags, "p")
	switch d.policy = strings.ToLower(policy); {
	case !ok:
		return d, errors.New("it names no policy (p=)")
	case !slices.Contains(policies, d.policy):
		return d, fmt.Errorf("“p=%s” is no policy: there are none, quarantine and reject", policy)
	}
	d.subdomains = d.policy
	if policy, ok := tagValue(tags, "sp"); ok {
		if d.subdomains = strings.ToLower(policy); !slices.Contains(policies, d.subdomains) {
			return d, fmt.Errorf("“sp=%s” is no policy: there are none, quarantine and reject", policy)
		}
	}
	for name, strict := range map[string]*bool{"aspf": &d.strictSPF, "adkim": &d.strictDKIM} {
		switch mode, ok := tagValue(tags, name); {
		case ok && strings.EqualFold(mode, "s"):
			*strict = true
		case ok && !strings.EqualFold(mode, "r"):
			return d, fmt.Errorf("“%s=%s” is neither r nor s", name, mode)
		}
	}
	return d, nil
}

// plainText tells that a text has visible ASCII characters only.
func plainText(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' })
}
