package mail

import (
	"errors"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Security is how the connection to a relay is kept private.
type Security string

const (
	StartTLS    Security = "starttls" // encrypted before anything is said, or nothing is sent
	ImplicitTLS Security = "tls"      // from the first byte
	ClearText   Security = "none"     // to this machine only
)

// Settings are what there is to know about a relay, secrets included.
type Settings struct {
	Host               string
	Port               int
	Security           Security
	Username, Password string // both or neither; with OAuth no password
	OAuth              *OAuth // signs in with XOAUTH2 instead of a password
	PerMinute, PerDay  int    // letters the relay takes from us; 0: no limit known
}

// Faults are what is wrong with settings: for each field by its name (host,
// port, security, username, password, token_url, client_id, client_secret,
// per_minute, per_day) a sentence that says what to change and quotes no secret.
type Faults map[string]string

func (f Faults) Error() string {
	var sentences []string
	for _, field := range slices.Sorted(maps.Keys(f)) {
		sentences = append(sentences, f[field])
	}
	return strings.Join(sentences, " ")
}

// NewRelay takes a relay's settings. Its error is Faults.
func NewRelay(s Settings) (Relay, error) {
	faults := Faults{}
	s.Host = strings.TrimSpace(s.Host)
	switch {
	case s.Host == "":
		faults["host"] = "The mail server's name is missing: it looks like smtp.example.com."
	case !isHost(s.Host):
		faults["host"] = "A mail server's name is only letters, digits, dots and hyphens, like smtp.example.com."
	}
	if s.Port < 1 || s.Port > 65535 {
		faults["port"] = "The port is a number from 1 to 65535; most mail servers use 587 or 465."
	}
	switch s.Security {
	case StartTLS, ImplicitTLS:
	case ClearText:
		if !isLoopback(s.Host) {
			faults["security"] = "No encryption is for a mail server on this machine only: to any other, mail and password travel encrypted."
		}
	default:
		faults["security"] = "Choose how the connection is encrypted."
	}
	s.Username = strings.TrimSpace(s.Username)
	switch {
	case strings.ContainsFunc(s.Username, unicode.IsControl):
		faults["username"] = "The user name holds a character that can't be seen; type it anew."
	case strings.ContainsFunc(s.Password, unicode.IsControl):
		faults["password"] = "The password holds a line break or another character that can't be seen; type it anew."
	case s.OAuth != nil:
		o := *s.OAuth // ours alone from now on
		s.OAuth = &o
		if s.Password != "" {
			faults["password"] = "Give a password or the particulars for signing in with OAuth, not both."
		}
		if s.Username == "" {
			faults["username"] = "The user name is missing: signing in with OAuth needs the address of the mailbox that sends."
		}
		o.check(faults)
	case s.Username != "" && s.Password == "":
		faults["password"] = "The password is missing; leave out the user name too if the mail server needs neither."
	case s.Username == "" && s.Password != "":
		faults["username"] = "The user name is missing; leave out the password too if the mail server needs neither."
	}
	if s.PerMinute < 0 {
		faults["per_minute"] = "Letters per minute is a number, or 0 for no limit."
	}
	if s.PerDay < 0 {
		faults["per_day"] = "Letters per day is a number, or 0 for no limit."
	}
	if len(faults) > 0 {
		return Relay{}, faults
	}
	r := Relay{settings: s, patience: usualPatience}
	if s.OAuth != nil {
		r.tokens = newTokens(*s.OAuth)
	}
	return r, nil
}

// ParseRelay reads smtp://user:password@host:587 (STARTTLS, or nothing is sent)
// or smtps://host:465 (TLS from the start). ?tls=none is for a relay on this
// very machine; per_minute= and per_day= say how many letters it takes; token_url=,
// client_id=, client_secret=, refresh_token= and scope= sign in with XOAUTH2, and the
// user has no password then. Its errors say what to change and never quote a secret.
func ParseRelay(s string) (Relay, error) {
	const example = "write it like smtp://user:password@mail.example.com:587"
	u, err := url.Parse(s)
	if err != nil { // the error would quote the password
		return Relay{}, errors.New("the relay's address can't be read: " + example + "; in a password, write characters other than letters and digits as % and two hexadecimal digits")
	}
	set := Settings{Host: u.Hostname(), Username: u.User.Username()}
	set.Password, _ = u.User.Password()
	switch u.Scheme {
	case "smtp":
		set.Security, set.Port = StartTLS, 587
	case "smtps":
		set.Security, set.Port = ImplicitTLS, 465
	default:
		return Relay{}, errors.New("the relay's address must begin with smtp:// or smtps://: " + example)
	}
	if set.Host == "" {
		return Relay{}, errors.New("the relay's address names no host: " + example)
	}
	if u.Port() != "" {
		if set.Port, err = strconv.Atoi(u.Port()); err != nil || set.Port < 1 || set.Port > 65535 {
			return Relay{}, errors.New("the relay's address has no possible port: " + example)
		}
	}
	if strings.Trim(u.Path, "/") != "" || u.Fragment != "" {
		return Relay{}, errors.New("the relay's address ends with the port: " + example)
	}
	if err := set.options(u); err != nil {
		return Relay{}, err
	}
	if set.OAuth == nil && (set.Username == "") != (set.Password == "") {
		return Relay{}, errors.New("the relay's address needs both a user and a password, or neither: " + example)
	}
	if set.Security == ClearText && !isLoopback(set.Host) {
		return Relay{}, errors.New("?tls=none is for a relay on this machine only: to any other, mail and password travel encrypted")
	}
	return NewRelay(set)
}

// options reads what follows the relay's address.
func (s *Settings) options(u *url.URL) error {
	var o OAuth
	text := map[string]*string{"token_url": &o.TokenURL, "client_id": &o.ClientID, "client_secret": &o.ClientSecret, "refresh_token": &o.RefreshToken, "scope": &o.Scope}
	numbers := map[string]*int{"per_minute": &s.PerMinute, "per_day": &s.PerDay}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return errors.New("the options after the relay's address can't be read: write them like ?per_minute=30&per_day=2000")
	}
	for name, values := range query {
		value := values[0]
		switch {
		case len(values) > 1:
			return errors.New("the relay's address gives one of its options twice")
		case name == "tls" && value == "none":
			if s.Security == ImplicitTLS {
				return errors.New("smtps:// and ?tls=none contradict each other")
			}
			s.Security = ClearText
		case text[name] != nil:
			*text[name] = value
			s.OAuth = &o
		case numbers[name] != nil:
			n, err := strconv.Atoi(value)
			if err != nil || n < 0 {
				return errors.New("the relay's option " + name + "= is a number of letters")
			}
			*numbers[name] = n
		default:
			return errors.New("the relay's address knows these options only: tls=none, per_minute=, per_day=, and to sign in with XOAUTH2 token_url=, client_id=, client_secret=, refresh_token= and scope=")
		}
	}
	return nil
}

func isHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	return len(s) <= 253 && !strings.ContainsFunc(s, func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '_')
	})
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// patience is how long the relay may take.
type patience struct {
	connect, command, write time.Duration
	letter                  time.Duration // all before a letter's final dot, connecting included
	verdict                 time.Duration // its reply to that
}

// The verdict on a letter may take the relay longer: it may scan the letter first, and giving up on it means not knowing.
// Letter and verdict together stay below the worker's lease.
var usualPatience = patience{connect: 30 * time.Second, command: time.Minute, write: time.Minute, letter: 4 * time.Minute, verdict: 10 * time.Minute}
