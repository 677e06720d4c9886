package practice

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/mail"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"
)

func TestParseSPF(t *testing.T) {
	for _, c := range []struct {
		text, wrong, all, redirect string
		terms                      int
	}{
		{text: "v=spf1 -all", terms: 1, all: "-all"},
		{text: "V=SPF1  include:_spf.google.com   ~ALL", terms: 2, all: "~all"},
		{text: "v=spf1 +a +mx ip4:192.0.2.0/24 ip6:2001:db8::/32 ?all", terms: 5, all: "?all"},
		{text: "v=spf1 a/24 mx//64 a:mail.example.com/24//64 ptr ptr:example.com exists:%{i}._spf.example.com all", terms: 7, all: "+all"},
		{text: "v=spf1 redirect=_spf.example.com", redirect: "_spf.example.com"},
		{text: "v=spf1 redirect=_spf.example.com -all", terms: 1, all: "-all"}, // which decides
		{text: "v=spf1 -all include:late.example", terms: 1, all: "-all"},
		{text: "v=spf1 exp=why.example.com unknown=thing ip4:192.0.2.1", terms: 1},
		{text: "v=spf1"},
		{text: "v=spf10 -all", wrong: "doesn't begin"},
		{text: "spf2.0/pra -all", wrong: "doesn't begin"},
		{text: "v=spf1 include:", wrong: "“include:”"},
		{text: "v=spf1 include", wrong: "“include”"},
		{text: "v=spf1 ip4:192.0.2.300", wrong: "192.0.2.300"},
		{text: "v=spf1 ip4:2001:db8::1", wrong: "ip4"},
		{text: "v=spf1 ip6:192.0.2.1", wrong: "ip6"},
		{text: "v=spf1 ip4:192.0.2.0/33", wrong: "/33"},
		{text: "v=spf1 a/33", wrong: "a/33"},
		{text: "v=spf1 a:", wrong: "“a:”"},
		{text: "v=spf1 all:x", wrong: "all:x"},
		{text: "v=spf1 includes:example.com", wrong: "includes:example.com"},
		{text: "v=spf1 include: spf.example.com", wrong: "“include:”"},
		{text: "v=spf1 redirect=a.example redirect=b.example", wrong: "twice"},
		{text: "v=spf1 redirect=", wrong: "no domain"},
		{text: "v=spf1 -", wrong: "“-”"},
		{text: "v=spf1 mx\tall", wrong: "nothing that SPF knows"},
	} {
		r, err := parseSPF(c.text)
		if c.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%q: %v, want %q", c.text, err, c.wrong)
			}
			continue
		}
		if err != nil || len(r.terms) != c.terms || r.all() != c.all || r.redirect != c.redirect {
			t.Errorf("%q: %+v, %v", c.text, r, err)
		}
	}
}

func TestSPFWithOneMore(t *testing.T) {
	for before, after := range map[string]string{
		"v=spf1":                           "v=spf1 include:x.example",
		"v=spf1 mx -all":                   "v=spf1 mx include:x.example -all",
		"v=spf1  a  ~ALL":                  "v=spf1 a include:x.example ~ALL",
		"v=spf1 mx redirect=y.example":     "v=spf1 mx include:x.example redirect=y.example",
		"v=spf1 exp=z.example all":         "v=spf1 exp=z.example include:x.example all",
		"v=spf1 ip4:192.0.2.1 ip6:2001::1": "v=spf1 ip4:192.0.2.1 ip6:2001::1 include:x.example",
	} {
		r, err := parseSPF(before)
		if got := r.with("include:x.example"); err != nil || got != after {
			t.Errorf("%q with one more is %q (%v), want %q", before, got, err, after)
		}
	}
}

// testKeys are public RSA keys by their length in bits.
var testKeys = map[int]string{
	512:  "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBALv94qjVoYZehqQDjiHqPpXVw1KiZDGtBmw9Z4RhaNZglC+mtF8TPAHu7jdi3XVsR39n/Z+0ANR4MeZ28rUZKJ8CAwEAAQ==",
	1024: "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDK+SPRoVk6otQtHV5e/3O0rwxFpSTmxX5yO5mHRXQG4bEe5LXw8dQcllwh/JK9KZYBSCjsC6IzIj5NoZQsdwMKsQztEtblKRs7GfxZeqZHaoFVC3UOnUIMRopGlL8lwdS2GwJZYT2KeJfYCYpNVqgxNUNemQa8jDI4Z/0ln+DPmwIDAQAB",
	2048: "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAsIozvVVis2C5Bc1TtMlgFNx9k/9Cp5j7RkBjBipwSEF0AKtYhA9RAT5Zwm5JgswEKK0AcWVTHGGRiLmSDDqIB6KcCsyHXyvEIcdSp2RpMU5LEnmB2RAxtl5jka5KB9IPYbap6zPBi5APwOQ/WJil3JL+WOQxtEJoJFHatsYtUcZYXnQpxo8r0tyLDd4CI72Us/soz6Wx061FoJdIdpVcfqACxVgW/44Z/1m1V14zj7BxXDTbdSkb7FF/GJZjuP+NmwMWwHA2sqRAWl9sUDctBw9EabV+k2U1NHJ0O9AGssqBXkbQ1pm1+/gzi16iGCE3Xw/ixfTlZNOw1HkNjGavvQIDAQAB",
}

// edKey is the Ed25519 key of RFC 8463.
const edKey = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

func TestParseDKIM(t *testing.T) {
	for _, c := range []struct {
		text, wrong      string
		revoked, testing bool
		bits             int
	}{
		{text: "v=DKIM1; k=rsa; p=" + testKeys[2048], bits: 2048},
		{text: "k=rsa;p=" + testKeys[1024] + ";", bits: 1024},
		{text: "v=DKIM1; p=" + testKeys[1024][:40] + " " + testKeys[1024][40:], bits: 1024},
		{text: "v=DKIM1; h=sha1:sha256; s=email; t=y:s; p=" + testKeys[1024], bits: 1024, testing: true},
		{text: "v=DKIM1; k=ed25519; p=" + edKey},
		{text: "v=DKIM1; p=", revoked: true},
		{text: "v=DKIM1; p=" + testKeys[512], wrong: "512 bits"},
		{text: "v=DKIM1; p=" + testKeys[1024][:100], wrong: "isn't whole"},
		{text: "v=DKIM1; p=!!", wrong: "isn't whole"},
		{text: "v=DKIM1; k=ed25519; p=" + testKeys[1024], wrong: "isn't whole"},
		{text: "v=DKIM1; k=dsa; p=" + edKey, wrong: "k=dsa"},
		{text: "v=DKIM1", wrong: "no key"},
		{text: "v=DKIM2; p=", wrong: "v=DKIM1"},
		{text: "p=; v=DKIM1", wrong: "v=DKIM1"},
		{text: "v=DKIM1; h=sha1; p=" + edKey, wrong: "SHA-256"},
		{text: "v=DKIM1; s=tlsrpt; p=" + edKey, wrong: "isn't for mail"},
		{text: "v=DKIM1; p=; p=" + edKey, wrong: "twice"},
		{text: "hello", wrong: "no tag"},
	} {
		k, err := parseDKIM(c.text)
		if c.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%q: %v, want %q", c.text, err, c.wrong)
			}
			continue
		}
		if err != nil || k != (dkimKey{c.revoked, c.testing, c.bits}) {
			t.Errorf("%q: %+v, %v", c.text, k, err)
		}
	}
}

func TestParseDMARC(t *testing.T) {
	for _, c := range []struct {
		text, wrong string
		want        dmarcPolicy
	}{
		{text: "v=DMARC1; p=none", want: dmarcPolicy{policy: "none", subdomains: "none"}},
		{text: "v=DMARC1;p=Reject;sp=none;rua=mailto:a@b.example;", want: dmarcPolicy{policy: "reject", subdomains: "none", reports: "mailto:a@b.example"}},
		{text: " v = DMARC1 ; p = quarantine ; adkim=s; aspf=S; pct=50; fo=1", want: dmarcPolicy{policy: "quarantine", subdomains: "quarantine", strictDKIM: true, strictSPF: true}},
		{text: "v=DMARC1; p=reject; adkim=r", want: dmarcPolicy{policy: "reject", subdomains: "reject"}},
		{text: "v=DMARC1", wrong: "no policy"},
		{text: "v=DMARC1; p=", wrong: "“p=”"},
		{text: "v=DMARC1; p=monitor", wrong: "p=monitor"},
		{text: "v=DMARC1; p=none; sp=maybe", wrong: "sp=maybe"},
		{text: "v=DMARC1; p=none; p=none", wrong: "twice"},
		{text: "v=DMARC1; p=none; aspf=x", wrong: "aspf=x"},
		{text: "v=DMARC1; p=none, rua=mailto:a@b.example", wrong: "none, rua"},
		{text: "v=dmarc1; p=none", wrong: "begin"},
		{text: "p=none; v=DMARC1", wrong: "begin"},
	} {
		got, err := parseDMARC(c.text)
		if c.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%q: %v, want %q", c.text, err, c.wrong)
			}
			continue
		}
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(dmarcPolicy{})); err != nil || diff != "" {
			t.Errorf("%q: %v %s", c.text, err, diff)
		}
	}
}

func FuzzRecords(f *testing.F) {
	for _, text := range []string{"v=spf1 a/24 include:x.example ~all", "v=spf1 mx redirect=y", "v=DKIM1; k=rsa; p=" + testKeys[512], "v=DMARC1; p=none; sp=reject", "v=spf1 +", "=;=", "v=spf1 a//"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parseDKIM(text)
		if d, err := parseDMARC(text); err == nil && d.policy == "" {
			t.Errorf("%q: no policy and no error", text)
		}
		r, err := parseSPF(text)
		if err != nil {
			return
		}
		// One more keeps what the record says of others, counts, and is itself read.
		changed, err := parseSPF(r.with("include:x.example"))
		if err != nil || changed.all() != r.all() || changed.redirect != r.redirect || len(changed.terms) != len(r.terms)+1 {
			t.Errorf("%q with one more: %+v, %v", text, changed, err)
		}
	})
}

// zone is a DNS server on this machine: texts by name, each text in its strings.
type zone map[string][][]string

// silent is what stands at a name at which the server never answers; broken, at one where it fails.
var silent, broken = [][]string{{"(silent)"}}, [][]string{{"(broken)"}}

func (z zone) serve(t *testing.T) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		packet := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(packet)
			if err != nil {
				return
			}
			if answer := z.answer(packet[:n]); answer != nil {
				conn.WriteTo(answer, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func (z zone) answer(packet []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(packet) != nil || len(m.Questions) != 1 {
		return nil
	}
	name := strings.ToLower(strings.TrimSuffix(m.Questions[0].Name.String(), "."))
	m.Header = dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true}
	m.Additionals = nil
	switch texts, ok := z[name]; {
	case !ok:
		m.RCode = dnsmessage.RCodeNameError
	case texts[0][0] == silent[0][0]:
		return nil
	case texts[0][0] == broken[0][0]:
		m.RCode = dnsmessage.RCodeServerFailure
	default:
		for _, text := range texts {
			m.Answers = append(m.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET, TTL: 60},
				Body:   &dnsmessage.TXTResource{TXT: text},
			})
		}
	}
	answer, err := m.Pack()
	if err != nil {
		return nil
	}
	return answer
}

// whole are texts in as few strings of at most 255 bytes as they need.
func whole(texts ...string) (records [][]string) {
	for _, text := range texts {
		var parts []string
		for len(text) > 255 {
			parts, text = append(parts, text[:255]), text[255:]
		}
		records = append(records, append(parts, text))
	}
	return records
}

func TestCheckDomain(t *testing.T) {
	google := mail.Provider{Name: "google", Title: "Google Workspace", SPF: "_spf.google.com", DKIMSelectors: []string{"google"}}
	two := mail.Provider{Name: "two", Title: "Two", SPF: "two.example", DKIMSelectors: []string{"selector1", "selector2"}}
	none := mail.Provider{Name: "own", Title: "Own Return", DKIMSelectors: []string{"pm"}}
	key := "v=DKIM1; k=rsa; p=" + testKeys[2048]
	spfOfGoogle := zone{"_spf.google.com": whole("v=spf1 include:_netblocks.google.com ~all"), "_netblocks.google.com": whole("v=spf1 ip4:192.0.2.0/24 ~all")}
	for _, c := range []struct {
		name     string
		provider mail.Provider
		asked    DomainQuestion
		zone     zone
		states   string // of the records, in order
		add      string // of the first that isn't fine
		says     []string
	}{
		{name: "nothing there", provider: google, states: "missing, missing, missing", add: "v=spf1 include:_spf.google.com ~all",
			says: []string{"p=none; rua=mailto:portal@willow.example", "Your provider gives you this record"}},
		{name: "all in order", provider: google, states: "found and fine, found and fine, found and fine",
			zone: zone{"willow.example": whole("site-verification=x", "v=spf1 include:_spf.google.com ~all"), "google._domainkey.willow.example": {{key[:200], key[200:]}},
				"_dmarc.willow.example": whole("v=DMARC1; p=quarantine; rua=mailto:a@willow.example")},
			says: []string{"look something up 2 times", "~all", "goes to junk"}},
		{name: "another server", provider: google, states: "found, but doesn't cover the mail server, missing, missing", add: "v=spf1 mx include:_spf.google.com -all",
			zone: zone{"willow.example": whole("v=spf1 mx -all")}, says: []string{"one record only", "refuse mail from every other server"}},
		{name: "covered further on", provider: google, states: "found and fine, missing, missing",
			zone: zone{"willow.example": whole("v=spf1 redirect=hosted.example"), "hosted.example": whole("v=spf1 include:_spf.google.com ?all")}},
		{name: "covered by a soft word only", provider: google, states: "found, but doesn't cover the mail server, missing, missing",
			zone: zone{"willow.example": whole("v=spf1 ?include:_spf.google.com -all")}},
		{name: "two SPF records", provider: google, states: "found, but faulty, missing, missing", add: "v=spf1 mx include:other.example include:_spf.google.com -all",
			zone: zone{"willow.example": whole("v=spf1 mx ~all", "v=spf1 mx include:other.example -all")}, says: []string{"There are 2 SPF records"}},
		{name: "broken SPF", provider: google, states: "found, but faulty, missing, missing",
			zone: zone{"willow.example": whole("v=spf1 include=_spf.google.com ipv4:192.0.2.1 ~all")}, says: []string{"“ipv4:192.0.2.1” is nothing that SPF knows"}},
		{name: "leads nowhere", provider: google, states: "found, but faulty, missing, missing",
			zone: zone{"willow.example": whole("v=spf1 include:_spf.google.com include:gone.example ~all")}, says: []string{"gone.example, which has 0 SPF records"}},
		{name: "leads round in a ring", provider: google, states: "found, but faulty, missing, missing",
			zone: zone{"willow.example": whole("v=spf1 include:willow.example ~all")}, says: []string{"at most 10 times"}},
		{name: "too many", provider: google, states: "found, but faulty, missing, missing",
			zone: zone{"willow.example": whole("v=spf1 a mx a:1.example a:2.example a:3.example a:4.example a:5.example mx:6.example ptr include:_spf.google.com ~all")}, says: []string{"at most 10 times"}},
		{name: "one too many with ours", provider: google, states: "found, but doesn't cover the mail server, missing, missing", add: "v=spf1 a mx a:1.example a:2.example a:3.example a:4.example a:5.example mx:6.example ptr include:_spf.google.com ~all",
			zone: zone{"willow.example": whole("v=spf1 a mx a:1.example a:2.example a:3.example a:4.example a:5.example mx:6.example ptr ~all")}, says: []string{"look something up 9 times", "take out what you no longer use first"}},
		{name: "everybody", provider: google, states: "found, but faulty, missing, missing", add: "v=spf1 include:_spf.google.com ~all",
			zone: zone{"willow.example": whole("v=spf1 include:_spf.google.com +all")}, says: []string{"every server in the world"}},
		{name: "one selector of two", provider: two, states: "found and fine, found and fine, missing",
			zone: zone{"willow.example": whole("v=spf1 include:two.example -all"), "two.example": whole("v=spf1 -all"), "selector2._domainkey.willow.example": whole(key)}},
		{name: "a provider with its own return address", provider: none, states: "only your provider can tell, found and fine, found and fine",
			zone: zone{"pm._domainkey.willow.example": whole(key), "_dmarc.willow.example": whole("v=DMARC1; p=reject")}, says: []string{"Own Return shows what it needs here", "asks for no reports"}},
		{name: "a provider of whom nothing is known", states: "only your provider can tell, only your provider can tell, missing",
			zone: zone{"willow.example": whole("v=spf1 mx ~all")}, says: []string{"Type it above", "Type the selector above"}},
		{name: "what that provider says", asked: DomainQuestion{SPF: "SPF.other.example", Selector: "k1._domainkey.willow.example"}, states: "found, but doesn't cover the mail server, found and fine, missing",
			add: "v=spf1 mx include:spf.other.example ~all", zone: zone{"willow.example": whole("v=spf1 mx ~all"), "k1._domainkey.willow.example": whole(key)}},
		{name: "an address of theirs", asked: DomainQuestion{SPF: "ip4:192.0.2.7", Selector: "k1"}, states: "found and fine, missing, missing",
			zone: zone{"willow.example": whole("v=spf1 ip4:192.0.2.7 ~all")}},
		{name: "keys that were taken back, and several", provider: two, states: "missing, found, but faulty, found, but faulty, missing",
			zone: zone{"selector1._domainkey.willow.example": whole("v=DKIM1; p="), "selector2._domainkey.willow.example": whole(key, key)}, says: []string{"was taken back", "several records"}},
		{name: "the domain stops our mails", provider: google, states: "missing, missing, found, but stops your mails for now",
			zone: zone{"_dmarc.willow.example": whole("v=DMARC1; p=reject; rua=mailto:a@willow.example; aspf=s")}, says: []string{"Mend one of them first", "It is strict"}},
		{name: "two policies", provider: google, states: "missing, missing, found, but faulty",
			zone: zone{"_dmarc.willow.example": whole("v=DMARC1; p=none", "v=DMARC1; p=reject")}},
		{name: "no policy", provider: google, states: "missing, missing, found, but faulty", zone: zone{"_dmarc.willow.example": whole("v=DMARC1; rua=mailto:a@willow.example")}},
		{name: "the server fails", provider: google, states: "couldn't be looked up, couldn't be looked up, couldn't be looked up", says: []string{"no usable answer"},
			zone: zone{"willow.example": broken, "google._domainkey.willow.example": broken, "_dmarc.willow.example": broken}},
		{name: "a part of SPF fails", provider: google, states: "couldn't be looked up, missing, missing", zone: zone{"willow.example": whole("v=spf1 include:far.example ~all"), "far.example": broken}},
		{name: "a part beside ours fails", provider: google, states: "found and fine, missing, missing", says: []string{"so it may be more"},
			zone: zone{"willow.example": whole("v=spf1 include:_spf.google.com include:far.example ~all"), "far.example": broken}},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := zone{}
			for _, z := range []zone{spfOfGoogle, c.zone} {
				for name, texts := range z {
					all[name] = texts
				}
			}
			records := checkedBy(t, all.serve(t), "portal@willow.example", c.provider, c.asked)
			var states, said []string
			add := ""
			for _, r := range records {
				states = append(states, string(r.State))
				said = append(append(said, r.Notes...), r.Add)
				if add == "" {
					add = r.Add
				}
				if notes := strings.Join(r.Notes, " "); r.Asks != (strings.Contains(notes, "ype it above") || strings.Contains(notes, "selector above")) {
					t.Errorf("%s asks: %v, and says %s", r.Kind, r.Asks, notes)
				}
			}
			if got := strings.Join(states, ", "); got != c.states {
				t.Errorf("%s, want %s: %q", got, c.states, said)
			}
			if c.add != "" && add != c.add {
				t.Errorf("to add: %q, want %q", add, c.add)
			}
			for _, words := range c.says {
				if !strings.Contains(strings.Join(said, " "), words) {
					t.Errorf("%q isn't said: %q", words, said)
				}
			}
		})
	}
}

func checkedBy(t *testing.T, resolver Resolver, address string, provider mail.Provider, asked DomainQuestion) []Record {
	t.Helper()
	from, err := db.ParseEmail(address)
	if err != nil {
		t.Fatal(err)
	}
	c := checker{resolver: resolver, from: from, domain: domainOf(from), provider: provider}
	var selectors []string
	if c.covering, selectors, err = asked.check(provider); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return c.check(ctx, selectors)
}

// A subdomain is under the policy of the domain above, which may be another for it.
func TestPolicyOfTheDomainAbove(t *testing.T) {
	z := zone{"_dmarc.willow.example": whole("v=DMARC1; p=reject; sp=none; rua=mailto:a@willow.example")}
	records := checkedBy(t, z.serve(t), "portal@mail.willow.example", mail.Provider{}, DomainQuestion{})
	r := records[len(records)-1]
	if r.State != RecordFine || r.Name != "_dmarc.willow.example" || !strings.Contains(strings.Join(r.Notes, " "), "only watches") {
		t.Errorf("%+v", r)
	}
}

// A server that never answers costs no more than the time that was given.
func TestDomainWithoutAnswerInTime(t *testing.T) {
	z := zone{"willow.example": silent, "_dmarc.willow.example": silent}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	from, err := db.ParseEmail("portal@willow.example")
	if err != nil {
		t.Fatal(err)
	}
	c := checker{resolver: z.serve(t), from: from, domain: domainOf(from)}
	for _, r := range c.check(ctx, nil) {
		if r.State != RecordUnknown && r.Kind != "DKIM" || r.Kind != "DKIM" && !strings.Contains(r.Notes[0], "didn't answer in time") {
			t.Errorf("%+v", r)
		}
	}
}

func TestDomainQuestion(t *testing.T) {
	for asked, field := range map[DomainQuestion]string{
		{SPF: "~all"}: "spf", {SPF: "-include:x.example"}: "spf", {SPF: "v=spf1 mx"}: "spf", {SPF: "yes"}: "spf",
		{Selector: "a b"}: "selector", {Selector: "x@y"}: "selector", {Selector: strings.Repeat("s", 64)}: "selector",
	} {
		_, _, err := asked.check(mail.Provider{})
		if wrong, ok := errors.AsType[Invalid](err); !ok || wrong[field] == "" {
			t.Errorf("%+v: %v", asked, err)
		}
	}
}
