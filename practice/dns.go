package practice

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"anteroom/db"
	"anteroom/mail"
)

// Resolver looks up texts in the DNS, each text whole; *net.Resolver is one. A name without any is a *net.DNSError with
// IsNotFound.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
}

// lookUpTime is how long a domain's records are looked up, all of them together.
const lookUpTime = 10 * time.Second

// RecordState is what was found of one of a domain's records.
type RecordState string

const (
	RecordFine    RecordState = "found and fine"
	RecordShort   RecordState = "found, but doesn't cover the mail server"
	RecordFaulty  RecordState = "found, but faulty"
	RecordHarsh   RecordState = "found, but stops your mails for now"
	RecordMissing RecordState = "missing"
	RecordOpen    RecordState = "only your provider can tell"
	RecordUnknown RecordState = "couldn't be looked up"
)

// Record is what was found of one of a domain's records, and what to do.
type Record struct {
	Kind   string // SPF, DKIM or DMARC
	Name   string // where it stands in the DNS
	State  RecordState
	Found  []string
	Notes  []string // sentences: what it means, and what to do
	Add    string   // the record to add; empty: none, or it is the provider's to give
	Change bool     // Add stands in place of what was found
	Asks   bool     // the provider told what has to be typed to see more
}

// DomainCheck is what receivers of the practice's mails find in the DNS about the domain in the From address.
type DomainCheck struct {
	Domain   string
	Provider mail.Provider // through which mails go; without a name: one of which the program knows nothing
	Records  []Record
}

// Asks tells that something is asked for that the provider told.
func (d DomainCheck) Asks() bool {
	return slices.ContainsFunc(d.Records, func(r Record) bool { return r.Asks })
}

// DomainQuestion is what an administrator adds to it, from what their provider told them.
type DomainQuestion struct {
	SPF      string // the mechanism that covers the mail server, such as include:_spf.example.com
	Selector string // of the DKIM key
}

// checker looks up and judges one domain's records.
type checker struct {
	resolver Resolver
	from     db.Email
	domain   string
	provider mail.Provider
	covering spfTerm // the mechanism that covers the mail server; without text: it isn't known
}

// check checks what was typed. It returns Invalid for "spf" and "selector".
func (q DomainQuestion) check(provider mail.Provider) (covering spfTerm, selectors []string, err error) {
	wrong := Invalid{}
	if text := cmp.Or(oneLine(q.SPF), provider.SPF); text != "" {
		if !strings.Contains(text, ":") && strings.Contains(text, ".") {
			text = "include:" + text
		}
		if covering, err = parseSPFTerm(text); err != nil || covering.qualifier != "+" || covering.mechanism == "all" {
			wrong["spf"] = "Enter one entry as your provider names it, such as include:spf.example.com."
		}
	}
	selectors = provider.DKIMSelectors
	if selector := oneLine(q.Selector); selector != "" {
		selector, _, _ = strings.Cut(selector, "._domainkey") // the whole name may have been copied
		if selectors = []string{selector}; !plainText(selector) || len(selector) > 63 || strings.ContainsAny(selector, "/@:;=") {
			wrong["selector"] = "Enter the selector as your provider names it: the part before ._domainkey."
		}
	}
	return covering, selectors, wrong.orNil()
}

func (c *checker) check(ctx context.Context, selectors []string) []Record {
	ctx, cancel := context.WithTimeout(ctx, lookUpTime)
	defer cancel()
	spf, dmarc, dkim := Record{}, Record{}, make([]Record, max(1, len(selectors)))
	var policy dmarcPolicy
	var wait sync.WaitGroup
	wait.Go(func() { spf = c.spf(ctx) })
	wait.Go(func() { dmarc, policy = c.dmarc(ctx) })
	for i, selector := range selectors {
		wait.Go(func() { dkim[i] = c.dkim(ctx, selector) })
	}
	wait.Wait()
	if len(selectors) == 0 {
		dkim[0] = Record{Kind: "DKIM", Name: "SELECTOR._domainkey." + c.domain, State: RecordOpen, Asks: true, Notes: []string{
			"Your provider gives you this record, and the selector in its name. Type the selector above to see whether it is there."}}
	}
	// Of several selectors a provider signs with one at a time.
	if slices.ContainsFunc(dkim, func(r Record) bool { return r.State == RecordFine }) {
		dkim = slices.DeleteFunc(dkim, func(r Record) bool { return r.State == RecordMissing })
	}
	signed := slices.ContainsFunc(dkim, func(r Record) bool { return r.State == RecordFine || r.State == RecordOpen || r.State == RecordUnknown })
	covered := spf.State == RecordFine || spf.State == RecordOpen || spf.State == RecordUnknown
	if dmarc.State == RecordFine && policy.policy != "none" && !signed && !covered {
		dmarc.State = RecordHarsh
		dmarc.Notes = append(dmarc.Notes, "As neither SPF nor DKIM is in order yet, that happens to your mails now. Mend one of them first.")
	}
	return slices.Concat([]Record{spf}, dkim, []Record{dmarc})
}

// texts are the texts at a name, none when there is nothing.
func (c *checker) texts(ctx context.Context, name string) ([]string, error) {
	texts, err := c.resolver.LookupTXT(ctx, strings.TrimSuffix(name, ".")+".") // whole, so that no search domain is put behind it
	if failed, ok := errors.AsType[*net.DNSError](err); ok && failed.IsNotFound {
		return nil, nil
	}
	return texts, err
}

// notLookedUp says why nothing can be said.
func notLookedUp(err error) string {
	if failed, ok := errors.AsType[*net.DNSError](err); ok && failed.IsTimeout || errors.Is(err, context.DeadlineExceeded) {
		return "The DNS didn't answer in time. Try again in a minute."
	}
	return "The DNS gave no usable answer. Try again in a minute; if it goes on, ask whoever looks after this server whether it can reach a DNS server."
}

func (c *checker) spf(ctx context.Context) Record {
	r := Record{Kind: "SPF", Name: c.domain}
	texts, err := c.texts(ctx, c.domain)
	if err != nil {
		r.State, r.Notes = RecordUnknown, []string{notLookedUp(err)}
		return r
	}
	var records []spfRecord
	var faults []string
	for _, text := range texts {
		if !isSPF(text) {
			continue
		}
		record, err := parseSPF(text)
		if err != nil {
			faults = append(faults, "Receivers take all of it for broken: "+err.Error()+".")
		}
		r.Found, records = append(r.Found, text), append(records, record)
	}
	switch {
	case len(records) == 0:
		r.State, r.Notes = RecordMissing, []string{"Nothing says yet which servers may send mail of " + c.domain + "."}
		if c.covering.text == "" {
			if c.provider.Name != "" {
				r.State = RecordOpen
			}
			r.Asks, r.Notes = true, append(r.Notes, c.whoKnowsSPF())
			return r
		}
		r.Add = "v=spf1 " + c.covering.text + " ~all"
		return r
	case len(faults) > 0:
		r.State, r.Notes = RecordFaulty, faults
		return r
	case len(records) > 1:
		r.State, r.Notes = RecordFaulty, []string{fmt.Sprintf("There are %d SPF records, and receivers then take none of them. Keep one that says it all.", len(records))}
		r.Add, r.Change = c.oneSPF(records), true
		return r
	}
	record := records[0]
	walk := spfWalk{c: c}
	walk.through(ctx, c.domain, record)
	switch {
	case walk.fault != "":
		r.State, r.Notes = RecordFaulty, []string{"Receivers take all of it for broken: " + walk.fault + "."}
		return r
	case walk.lookups > maxSPFLookups:
		r.State, r.Notes = RecordFaulty, []string{tooManyLookups}
		return r
	case walk.err != nil && !walk.covered:
		r.State, r.Notes = RecordUnknown, []string{notLookedUp(walk.err)}
		return r
	case record.all() == "+all":
		r.State, r.Notes = RecordFaulty, []string{"“+all” lets every server in the world send mail of " + c.domain + "."}
		r.Add, r.Change = c.oneSPF(records), true
		return r
	}
	r.Notes = append(r.Notes, fmt.Sprintf("Receivers look something up %s for it; %d are allowed.", times(walk.lookups), maxSPFLookups))
	if walk.err != nil {
		r.Notes = append(r.Notes, "Not every record that it refers to could be looked up, so it may be more.")
	}
	switch record.all() {
	case "-all":
		r.Notes = append(r.Notes, "It asks to refuse mail from every other server (“-all”).")
	case "~all":
		r.Notes = append(r.Notes, "It asks to distrust mail from every other server (“~all”).")
	case "?all", "":
		if record.redirect == "" {
			r.Notes = append(r.Notes, "It says nothing about every other server, so it protects little: let it end with “~all”.")
		}
	}
	switch {
	case c.covering.text == "":
		r.State, r.Asks, r.Notes = RecordOpen, true, append(r.Notes, c.whoKnowsSPF())
	case walk.covered:
		r.State = RecordFine
	default:
		r.State, r.Add, r.Change = RecordShort, record.with(c.covering.text), true
		r.Notes = append(r.Notes, "Mails leave through a server that it doesn't name. Put this record in its place: one record only.")
		if changed, err := parseSPF(r.Add); err == nil {
			walk := spfWalk{c: c}
			if walk.through(ctx, c.domain, changed); walk.lookups > maxSPFLookups {
				r.Notes = append(r.Notes, "With it receivers would have to look something up more than 10 times, and would take the record for broken: take out what you no longer use first.")
			}
		}
	}
	return r
}

const tooManyLookups = "Receivers look something up at most 10 times for one record, and this one takes more: they take all of it for broken. Take out what you no longer use."

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// whoKnowsSPF says whose word on it counts where the program knows none.
func (c *checker) whoKnowsSPF() string {
	if c.provider.Name != "" {
		return c.provider.Title + " shows what it needs here where you add your domain there. It may be nothing: receivers look at the domain of the return address, and some providers use one of their own. If it names an entry, type it above."
	}
	return "Your provider names the entry that covers its servers, such as include:spf.example.com. Type it above to see what the record should be."
}

// oneSPF is one record that says what several say.
func (c *checker) oneSPF(records []spfRecord) string {
	one := spfRecord{text: "v=spf1 ~all"}
	for _, r := range records {
		if all := r.all(); all == "-all" {
			one.text = "v=spf1 -all"
		}
	}
	var seen []string
	add := func(text string) {
		if !slices.Contains(seen, text) {
			one.text, seen = one.with(text), append(seen, text)
		}
	}
	for _, r := range records {
		for _, t := range r.terms {
			if t.mechanism != "all" {
				add(strings.TrimPrefix(t.qualifier, "+") + t.text)
			}
		}
		if r.redirect != "" {
			add("include:" + r.redirect)
		}
	}
	if c.covering.text != "" {
		add(c.covering.text)
	}
	return one.text
}

// spfWalk follows an SPF record as receivers do, to where it leads.
type spfWalk struct {
	c       *checker
	lookups int
	covered bool
	fault   string // why receivers take the record for broken, as a part of a sentence
	err     error  // something couldn't be looked up
}

func (w *spfWalk) through(ctx context.Context, domain string, r spfRecord) {
	for _, t := range r.terms {
		if t.qualifier == "+" && w.c.covering.text != "" && t.text == w.c.covering.text {
			w.covered = true
		}
		switch t.mechanism {
		case "a", "mx", "ptr", "exists":
			w.lookups++
		case "include":
			w.follow(ctx, t.domain)
		}
	}
	if r.redirect != "" {
		if w.c.covering.text == "include:"+strings.ToLower(r.redirect) {
			w.covered = true
		}
		w.follow(ctx, r.redirect)
	}
}

func (w *spfWalk) follow(ctx context.Context, domain string) {
	if w.lookups++; w.lookups > maxSPFLookups || w.fault != "" || strings.Contains(domain, "%{") { // a macro depends on the mail
		return
	}
	texts, err := w.c.texts(ctx, domain)
	if err != nil {
		w.err = err
		return
	}
	texts = slices.DeleteFunc(texts, func(text string) bool { return !isSPF(text) })
	if len(texts) != 1 {
		w.fault = fmt.Sprintf("it refers to %s, which has %d SPF records instead of one", domain, len(texts))
		return
	}
	record, err := parseSPF(texts[0])
	if err != nil {
		w.fault = fmt.Sprintf("it refers to %s, whose record is broken: %s", domain, err)
		return
	}
	w.through(ctx, domain, record)
}

func (c *checker) dkim(ctx context.Context, selector string) Record {
	r := Record{Kind: "DKIM", Name: selector + "._domainkey." + c.domain}
	var err error
	switch r.Found, err = c.texts(ctx, r.Name); {
	case err != nil:
		r.State, r.Notes = RecordUnknown, []string{notLookedUp(err)}
		return r
	case len(r.Found) == 0:
		r.State, r.Notes = RecordMissing, []string{"Your provider gives you this record: copy it from there, whole."}
		return r
	case len(r.Found) > 1:
		r.State, r.Notes = RecordFaulty, []string{"There are several records at this name, and receivers may read any of them. Keep the one that your provider gives you."}
		return r
	}
	key, err := parseDKIM(r.Found[0])
	switch {
	case err != nil:
		r.State, r.Notes = RecordFaulty, []string{"Receivers can't use it: " + err.Error() + "."}
		return r
	case key.revoked:
		r.State, r.Notes = RecordFaulty, []string{"Its key was taken back (“p=” is empty). Your provider gives you a new one."}
		return r
	}
	r.State, r.Notes = RecordFine, []string{"Receivers can tell that a mail is yours and unchanged, once your provider signs with this key."}
	if key.bits > 0 && key.bits < goodDKIMBits {
		r.Notes = append(r.Notes, fmt.Sprintf("Its key has %d bits; %d are usual today.", key.bits, goodDKIMBits))
	}
	if key.testing {
		r.Notes = append(r.Notes, "It is marked as a test (“t=y”), so receivers may pay no regard to it: take the mark out once all works.")
	}
	return r
}

const alignment = "A mail passes when SPF or DKIM passes for the domain in its From address: your provider has to sign with a DKIM key of this domain, or use a return address in it."

func (c *checker) dmarc(ctx context.Context) (r Record, policy dmarcPolicy) {
	r = Record{Kind: "DMARC", Name: "_dmarc." + c.domain}
	for domain := c.domain; ; {
		texts, err := c.texts(ctx, "_dmarc."+domain)
		if err != nil {
			r.State, r.Notes = RecordUnknown, []string{notLookedUp(err)}
			return r, policy
		}
		if texts = slices.DeleteFunc(texts, func(text string) bool { return !isDMARC(text) }); len(texts) > 0 {
			r.Name, r.Found = "_dmarc."+domain, texts
			break
		}
		_, parent, _ := strings.Cut(domain, ".")
		if !strings.Contains(parent, ".") { // a top-level domain speaks for nobody
			break
		}
		domain = parent
	}
	switch len(r.Found) {
	case 0:
		r.State, r.Add = RecordMissing, "v=DMARC1; p=none; rua=mailto:"+c.from.Envelope()
		r.Notes = []string{"Large receivers ask for one. This one changes nothing yet, and has them send reports: put an address of this domain there that somebody reads.", alignment}
		return r, policy
	case 1:
	default:
		r.State, r.Notes = RecordFaulty, []string{fmt.Sprintf("There are %d DMARC records, and receivers then take none of them. Keep one.", len(r.Found))}
		return r, policy
	}
	policy, err := parseDMARC(r.Found[0])
	if err != nil {
		r.State, r.Notes = RecordFaulty, []string{"Receivers take it for broken: " + err.Error() + "."}
		return r, policy
	}
	if r.Name != "_dmarc."+c.domain {
		policy.policy = policy.subdomains
		r.Notes = append(r.Notes, "It stands at the domain above, and counts for "+c.domain+" too.")
	}
	r.State = RecordFine
	switch policy.policy {
	case "none":
		r.Notes = append(r.Notes, "It only watches (“none”): nothing happens to mail that doesn't pass.")
	case "quarantine":
		r.Notes = append(r.Notes, "Mail that doesn't pass goes to junk (“quarantine”).")
	case "reject":
		r.Notes = append(r.Notes, "Mail that doesn't pass is refused (“reject”).")
	}
	if policy.reports == "" {
		r.Notes = append(r.Notes, "It asks for no reports, so nobody will tell you of mail that doesn't pass: add “rua=mailto:” and an address.")
	}
	r.Notes = append(r.Notes, alignment)
	if policy.strictDKIM || policy.strictSPF {
		r.Notes = append(r.Notes, "It is strict: a subdomain, such as one that your provider uses in return addresses, doesn't count as this domain.")
	}
	return r, policy
}

// domainOf is an address's domain, as the DNS knows it.
func domainOf(e db.Email) string {
	_, domain, _ := strings.Cut(e.Canonical(), "@")
	return domain
}

// CheckDomain looks up what receivers of the practice's mails find in the DNS about the domain in the From address. It returns
// Invalid for "spf" and "selector", and ErrNotFound while nothing says where mails come from.
func (p *Practice) CheckDomain(ctx context.Context, by Administrator, asked DomainQuestion) (d DomainCheck, err error) {
	if !by.administers() {
		return d, ErrNotAllowed
	}
	m := p.mail.Load()
	if m == nil {
		return d, ErrNotFound
	}
	d = DomainCheck{Domain: domainOf(m.from), Provider: m.provider}
	covering, selectors, err := asked.check(m.provider)
	if err != nil {
		return d, err
	}
	c := checker{p.config.Resolver, m.from, d.Domain, m.provider, covering}
	if c.resolver == nil {
		c.resolver = net.DefaultResolver
	}
	d.Records = c.check(ctx, selectors)
	return d, nil
}
