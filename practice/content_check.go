package practice

import (
	"context"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"anteroom/db"
	"anteroom/mail"
)

// Warning is something in a message that its author may want to take out: a mail can be read by others. It never keeps
// anything from being sent.
type Warning struct {
	InSubject bool
	Found     string // as the author wrote it
	Why       string // why it matters, in a sentence
}

// contentFacts are what a message is looked over with.
type contentFacts struct {
	now    time.Time
	name   string   // the practice's: it stands in the sender anyway
	titles []string // of forms
	births []string // dates of birth of those who receive it
	hosts  []string // where the portal and the practice's mail are at home
}

// Why something is better left out.
const (
	whyForm       = "The name of a form tells others what the client is asked about."
	whyClinical   = "A clinical word tells whoever sees the mail why the client comes to you."
	whyBirthDate  = "It is the date of birth of a client who gets this: others can use it to pass for them."
	whyPastDate   = "It may be a date of birth: others can use one to pass for the client."
	whyClear      = "Others can read along where a link begins with http: use https."
	whyStrange    = "This link leads neither to your portal nor to your practice's own domain: careful clients won't follow it, and spam filters distrust it."
	whyOtherWords = "Its words show another address than the link leads to, as mails that deceive do."
	whyName       = "The subject can be read on a locked phone: a name there tells whose mail it is."
)

// checkContent looks a message over: a subject first, each thing once.
func checkContent(m db.Message, f contentFacts) []Warning {
	reading := mail.Parse(m.Subject, m.Body).Reading()
	var found warnings
	for _, name := range mail.Placeholders(m.Subject, "") {
		if strings.HasPrefix(name, "client_") {
			found.add(true, "{"+name+"}", whyName)
		}
	}
	for _, part := range []struct {
		inSubject bool
		text      string
	}{{true, reading.Subject}, {false, reading.Text}} {
		f.words(part.text, func(what, why string) { found.add(part.inSubject, what, why) })
		f.dates(part.text, func(what, why string) { found.add(part.inSubject, what, why) })
	}
	for _, l := range reading.Links {
		f.link(l, func(what, why string) { found.add(false, what, why) })
	}
	return found
}

type warnings []Warning

func (all *warnings) add(inSubject bool, found, why string) {
	w := Warning{inSubject, found, why}
	if !slices.ContainsFunc(*all, func(other Warning) bool {
		return other.InSubject == inSubject && other.Why == why && strings.EqualFold(other.Found, found)
	}) {
		*all = append(*all, w)
	}
}

// wordAt is one word of a text, folded as searches are, and where it stands.
type wordAt struct {
	word       string
	start, end int
}

func wordsOf(text string) (all []wordAt) {
	start := -1
	for i, c := range text + " " {
		inside := unicode.IsLetter(c) || unicode.IsDigit(c) || unicode.IsMark(c)
		switch {
		case inside && start < 0:
			start = i
		case !inside && start >= 0:
			all = append(all, wordAt{db.SearchFold(text[start:i]), start, i})
			start = -1
		}
	}
	return all
}

// term is words in a row; the last may stand for all that begin with it.
type term struct {
	words []string
	open  bool
	why   string
}

func newTerm(text, why string) term {
	t := term{open: strings.HasSuffix(text, "*"), why: why}
	for _, w := range wordsOf(text) {
		t.words = append(t.words, w.word)
	}
	return t
}

// length is how many words of a text, from the first on, are the term; 0: they aren't.
func (t term) length(text string, at []wordAt) int {
	if len(t.words) == 0 || len(at) < len(t.words) {
		return 0
	}
	for i, w := range t.words {
		if at[i].word != w && !(t.open && i == len(t.words)-1 && strings.HasPrefix(at[i].word, w)) {
			return 0
		}
		if i > 0 && strings.Trim(text[at[i-1].end:at[i].start], " \n-–_'’(:") != "" {
			return 0 // a sentence ended between them
		}
	}
	return len(t.words)
}

// words finds names of forms and clinical words.
func (f contentFacts) words(text string, found func(what, why string)) {
	terms := clinicalTerms
	for _, title := range f.titles {
		terms = append(terms[:len(terms):len(terms)], titleTerms(title)...)
	}
	name := newTerm(f.name, "")
	all := wordsOf(text)
	for i := 0; i < len(all); {
		if n := name.length(text, all[i:]); n > 0 {
			i += n
			continue
		}
		longest, why := 0, ""
		for _, t := range terms {
			if n := t.length(text, all[i:]); n > longest || n == longest && n > 0 && t.why == whyForm {
				longest, why = n, t.why
			}
		}
		if longest > 0 {
			found(text[all[i].start:all[i+longest-1].end], why)
		}
		i += max(longest, 1)
	}
}

// titleTerms are the ways to name a form: by its title, and by the parts of it that say enough alone.
func titleTerms(title string) []term {
	all := []term{newTerm(title, whyForm)}
	for part := range strings.FieldsFuncSeq(title, func(c rune) bool { return strings.ContainsRune("():–/", c) }) {
		if t := newTerm(part, whyForm); len(t.words) > 1 {
			all = append(all, t)
		}
	}
	return all
}

// clinicalTerms are words that say what somebody is treated for, in English and Spanish, and medicines; longer ones that
// begin alike are meant only where a star says so.
var clinicalTerms = func() (all []term) {
	for text := range strings.FieldsFuncSeq(`
		depression, depressed, depressive, anxiety, panic attack*, panic disorder, phobia*, ptsd, post traumatic, posttraumatic, trauma, bipolar,
		manic, mania, ocd, obsessive compulsive, adhd, attention deficit, autism, autistic, eating disorder*, anorexi*, bulimi*, schizophren*,
		psychosis, psychotic, personality disorder*, substance use, substance abuse, drug abuse, addiction*, addicted, alcoholi*, rehab, detox, overdose*,
		suicid*, self harm*, self injur*, diagnos*, disorder, disorders, symptom, symptoms, therapy notes, session notes, psychotherapy notes,
		progress notes, treatment plan*, mental illness*, mental health condition*, psychiatric, medication*, antidepressant*, antipsychotic*,
		hiv, abortion, sexual abuse, sexual assault, domestic violence, child abuse,
		depresion, depresiv*, deprimid*, ansiedad, ataque de panico, ataques de panico, fobia*, tept, estres postraumatico, trastorno*, tdah,
		deficit de atencion, autismo, autista, esquizofren*, psicosis, psicotic*, adiccion*, adicto, adicta, sobredosis, autolesi*, sintoma*,
		notas de sesion, notas de la sesion, notas de terapia, plan de tratamiento, enfermedad mental, psiquiatric*, medicamento*, medicacion,
		receta medica, antidepresiv*, vih, aborto, abuso sexual, violencia domestica, abuso de sustancias, consumo de sustancias,
		sertraline, zoloft, fluoxetine, prozac, escitalopram, lexapro, citalopram, celexa, paroxetine, paxil, venlafaxine, effexor, duloxetine,
		cymbalta, bupropion, wellbutrin, mirtazapine, trazodone, amitriptyline, alprazolam, xanax, lorazepam, ativan, clonazepam, klonopin, diazepam,
		valium, buspirone, hydroxyzine, lamotrigine, lamictal, quetiapine, seroquel, aripiprazole, abilify, risperidone, risperdal, olanzapine,
		zyprexa, clozapine, haloperidol, methylphenidate, ritalin, concerta, adderall, vyvanse, atomoxetine, strattera, buprenorphine, suboxone,
		methadone, naltrexone, disulfiram, zolpidem, ambien, sertralina, fluoxetina, paroxetina, venlafaxina, duloxetina, quetiapina, risperidona,
		olanzapina, metilfenidato, metadona`, func(c rune) bool { return c == ',' }) {
		if text = strings.TrimSpace(text); text != "" {
			all = append(all, newTerm(text, whyClinical))
		}
	}
	return all
}()

const monthNames = `january|february|march|april|may|june|july|august|september|october|november|december|jan|feb|mar|apr|jun|jul|aug|sept|sep|oct|nov|dec|` +
	`enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|setiembre|octubre|noviembre|diciembre`

var (
	webAddress = regexp.MustCompile(`(?i)\b(?:https?://|www\.)\S+`)
	numbers    = regexp.MustCompile(`\d[\d./-]*\d`)
	numeric    = regexp.MustCompile(`^(\d{1,4})([./-])(\d{1,2})([./-])(\d{2}|\d{4})$`)
	monthFirst = regexp.MustCompile(`(?i)\b(` + monthNames + `)\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})\b`)
	dayFirst   = regexp.MustCompile(`(?i)\b(\d{1,2})(?:st|nd|rd|th)?\s+(?:of\s+|de\s+)?(` + monthNames + `)\.?,?\s+(?:del?\s+)?(\d{4})\b`)
)

// dates finds what may be a date of birth.
func (f contentFacts) dates(text string, found func(what, why string)) {
	text = webAddress.ReplaceAllString(text, " ")
	for _, run := range numbers.FindAllString(text, -1) {
		if m := numeric.FindStringSubmatch(run); m != nil && m[2] == m[4] {
			f.date(run, f.numericDates(m[1], m[3], m[5]), found)
		}
	}
	for _, m := range monthFirst.FindAllStringSubmatch(text, -1) {
		f.date(m[0], validDates(m[3], monthNumber(m[1]), m[2]), found)
	}
	for _, m := range dayFirst.FindAllStringSubmatch(text, -1) {
		f.date(m[0], validDates(m[3], monthNumber(m[2]), m[1]), found)
	}
}

// date judges a text by the dates that it may mean: by that of a client's birth, or where all are more than a year past.
func (f contentFacts) date(text string, means []time.Time, found func(what, why string)) {
	past := len(means) > 0
	for _, day := range means {
		if slices.Contains(f.births, day.Format(time.DateOnly)) {
			found(text, whyBirthDate)
			return
		}
		past = past && day.Before(f.now.AddDate(-1, 0, 0)) && day.After(f.now.AddDate(-120, 0, 0))
	}
	if past {
		found(text, whyPastDate)
	}
}

// numericDates reads year, month, day where the year comes first, and otherwise both the American and the European order.
func (f contentFacts) numericDates(a, b, c string) []time.Time {
	if len(a) == 4 {
		return validDates(a, number(b), c)
	}
	if len(c) == 2 {
		year := f.now.Year()/100*100 + number(c)
		if year > f.now.Year()+10 { // nobody writes so far ahead
			year -= 100
		}
		c = strconv.Itoa(year)
	}
	return append(validDates(c, number(a), b), validDates(c, number(b), a)...)
}

// validDates is the day, if the calendar has it.
func validDates(year string, month int, day string) []time.Time {
	t := time.Date(number(year), time.Month(month), number(day), 0, 0, 0, 0, time.UTC)
	if len(year) != 4 || int(t.Month()) != month || t.Day() != number(day) {
		return nil
	}
	return []time.Time{t}
}

func number(digits string) int {
	n, _ := strconv.Atoi(digits) // digits only
	return n
}

// monthNumber is that of a month's name in monthNames.
func monthNumber(name string) int {
	name = strings.ToLower(name)
	for i, spanish := range spanishMonths {
		if name == spanish || strings.HasPrefix(strings.ToLower(time.Month(i+1).String()), name) {
			return i + 1
		}
	}
	return 9 // setiembre
}

// link judges where a link leads, and what its words say of that.
func (f contentFacts) link(l mail.Follow, found func(what, why string)) {
	u, err := url.Parse(l.URL)
	if err != nil || u.Scheme == "tel" {
		return
	}
	if u.Scheme == "mailto" {
		to, err := url.PathUnescape(u.Opaque)
		if strings.Contains(l.Words, "@") && (err != nil || !strings.Contains(strings.ToLower(l.Words), strings.ToLower(to))) {
			found(l.Words, whyOtherWords)
		}
		return
	}
	for _, word := range strings.Fields(l.Words) {
		if host := hostShown(word); host != "" && bare(host) != bare(u.Hostname()) {
			found(l.Words+" ("+l.URL+")", whyOtherWords)
			break
		}
	}
	if !slices.ContainsFunc(f.hosts, func(home string) bool { return related(bare(u.Hostname()), bare(home)) }) {
		found(l.URL, whyStrange)
	}
	if u.Scheme == "http" && !strings.EqualFold(u.Hostname(), "localhost") {
		found(l.URL, whyClear)
	}
}

var shownHost = regexp.MustCompile(`^(?i:https?://)?((?:[\pL\pN-]+\.)+\pL{2,})(?:[:/?#].*)?$`)

// hostShown is the host that a word shows as an address does; empty: it shows none.
func hostShown(word string) string {
	if m := shownHost.FindStringSubmatch(strings.Trim(word, ".,;:()")); m != nil {
		return m[1]
	}
	return ""
}

func bare(host string) string { return strings.TrimPrefix(strings.ToLower(host), "www.") }

// related tells that one of two hosts is at home within the other, as mail.practice.example is within practice.example.
func related(a, b string) bool {
	within := func(inner, outer string) bool {
		return inner == outer || strings.Contains(outer, ".") && strings.HasSuffix(inner, "."+outer)
	}
	return within(a, b) || within(b, a)
}

// facts are what messages of the practice are looked over with.
func (p *Practice) facts(o db.Organization, forms []db.Form, now time.Time) contentFacts {
	f := contentFacts{now: now, name: o.Name, hosts: []string{p.config.Public.Hostname()}}
	for _, address := range []db.Email{p.from(), o.Email} {
		if _, domain, ok := strings.Cut(address.Canonical(), "@"); ok {
			f.hosts = append(f.hosts, domain)
		}
	}
	for _, form := range forms {
		f.titles = append(f.titles, form.Title)
	}
	return f
}

// LookOver warns of what is in a message to the receivers of one kind of a draft.
func (p *Practice) LookOver(d Draft, kind db.MessageKind, m db.Message) []Warning {
	f := p.facts(d.practice, d.forms, p.Now())
	for _, r := range d.recipients {
		if r.kind == kind && r.DateOfBirth != "" {
			f.births = append(f.births, r.DateOfBirth)
		}
	}
	return checkContent(m, f)
}

// LookOverDefault warns of what is in a message that is to be a default.
func (p *Practice) LookOverDefault(ctx context.Context, by Administrator, m db.Message) (all []Warning, err error) {
	if !by.administers() {
		return nil, ErrNotAllowed
	}
	err = p.db.View(ctx, func(tx *db.Tx) error {
		o, err := tx.Organization()
		forms, formsErr := tx.Forms()
		if err = errors.Join(err, formsErr); err == nil {
			all = checkContent(m, p.facts(o, forms, tx.Now()))
		}
		return err
	})
	return all, err
}

// Where names the part of the message.
func (w Warning) Where() string {
	if w.InSubject {
		return "subject"
	}
	return "text"
}
