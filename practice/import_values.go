package practice

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"anteroom/db"
)

// nothings are what people write into a cell that has to hold something.
var nothings = map[string]bool{"n/a": true, "na": true, "none": true, "-": true, "--": true, "—": true, "no": true, "no email": true, "noemail": true,
	"unknown": true, "null": true, "nil": true, "not provided": true, "declined": true, "?": true}

// yesOrNo reads whether a client may be emailed.
var yesOrNo = map[string]string{"yes": "yes", "y": "yes", "true": "yes", "1": "yes", "ok": "yes", "x": "yes", "allowed": "yes", "opt in": "yes", "opted in": "yes", "consented": "yes", "subscribed": "yes",
	"no": "no", "n": "no", "false": "no", "0": "no", "not allowed": "no", "opt out": "no", "opted out": "no", "declined": "no", "do not email": "no", "never": "no", "unsubscribed": "no"}

// cellText is a cell as one line; what stands for nothing is nothing.
func cellText(cell string) string {
	text := oneLine(cell)
	if len(text) <= 12 && nothings[strings.ToLower(text)] {
		return ""
	}
	return text
}

// isName tells of a cell that holds a name, although elsewhere it would stand for nothing: No and Na are families.
func isName(f ImportField, cell string) bool {
	switch f {
	case ImportFirstName, ImportLastName:
		text := strings.ToLower(oneLine(cell))
		return text == "no" || text == "na"
	}
	return false
}

// particles begin a last name of several words.
var particles = map[string]bool{"de": true, "del": true, "della": true, "der": true, "den": true, "di": true, "da": true, "dos": true, "du": true, "la": true,
	"le": true, "van": true, "von": true, "zu": true, "ten": true, "ter": true, "bin": true, "ibn": true, "al": true, "el": true, "st": true, "st.": true}

// suffixes end a last name.
var suffixes = map[string]bool{"jr": true, "jr.": true, "sr": true, "sr.": true, "ii": true, "iii": true, "iv": true}

// splitName parts a full name: at its comma (“Last, First”), or else before the last name that ends it.
func splitName(name string) (first, last string) {
	if l, f, ok := strings.Cut(name, ","); ok && !suffixes[strings.ToLower(strings.TrimSpace(f))] {
		return strings.TrimSpace(f), strings.TrimSpace(l)
	}
	words := strings.Fields(strings.ReplaceAll(name, ",", " "))
	at := len(words) - 1
	if at > 1 && suffixes[strings.ToLower(words[at])] {
		at--
	}
	for at > 1 && particles[strings.ToLower(words[at-1])] {
		at--
	}
	if at < 1 {
		return name, ""
	}
	return strings.Join(words[:at], " "), strings.Join(words[at:], " ")
}

// DateOrder is what a column of dates says about itself.
type DateOrder struct {
	DayFirst bool
	Unclear  bool   // no date in the file tells which of its numbers is the day
	Sample   string // the date that tells, or one that could be either; empty: there is none
}

// guessDateOrder finds out whether dates like 3/4/1990 begin with the day or the month.
func guessDateOrder(cells []string) (o DateOrder) {
	monthFirst, dayFirst, dots := 0, 0, 0
	var monthSample, daySample, either string
	for _, cell := range cells {
		a, b, _, ok := threeNumbers(cell)
		if !ok || a > 31 {
			continue
		}
		switch {
		case a > 12:
			dayFirst++
			daySample = cell
		case b > 12:
			monthFirst++
			monthSample = cell
		case a != b:
			either = cell
			if strings.Contains(cell, ".") {
				dots++
			}
		}
	}
	switch {
	case dayFirst > monthFirst:
		return DateOrder{DayFirst: true, Sample: oneLine(daySample)}
	case monthFirst > 0:
		return DateOrder{Sample: oneLine(monthSample)}
	}
	return DateOrder{DayFirst: dots > 0, Unclear: either != "", Sample: oneLine(either)}
}

// threeNumbers reads 3/4/1990, 3-4-90 or 3. 4. 1990, with or without a time after it.
func threeNumbers(s string) (a, b, c int, ok bool) {
	s = strings.TrimSpace(s)
	if date, clock, found := strings.Cut(s, " "); found && strings.ContainsRune(clock, ':') {
		s = date
	}
	parts := strings.FieldsFunc(s, func(r rune) bool { return r == '/' || r == '-' || r == '.' || r == ' ' })
	if len(parts) != 3 {
		return 0, 0, 0, false
	}
	var n [3]int
	for i, p := range parts {
		v, err := strconv.Atoi(p)
		if err != nil || v < 0 || len(p) > 4 {
			return 0, 0, 0, false
		}
		n[i] = v
	}
	if len(parts[0]) > 2 || len(parts[1]) > 2 || len(parts[2]) == 1 || len(parts[2]) == 3 {
		return 0, 0, 0, false
	}
	return n[0], n[1], n[2], true
}

// otherDates are the ways to write a date that say by themselves which part is which.
var otherDates = []string{"2006-1-2", "2006/1/2", "2006.1.2", "20060102", "Jan 2 2006", "January 2 2006", "2 Jan 2006", "2 January 2006", "2-Jan-2006", "2-Jan-06", "Jan-2-2006",
	"Mon Jan 2 2006", "Monday January 2 2006"}

// parseBirth reads a date of birth as exports write it, as YYYY-MM-DD. Two digits of a year are the latest that is not in
// the future.
func parseBirth(s string, dayFirst bool, now time.Time) (string, bool) {
	s = strings.TrimSpace(s)
	if a, b, year, ok := threeNumbers(s); ok {
		month, day := a, b
		if dayFirst {
			month, day = b, a
		}
		if year < 100 {
			year += 2000
			if year > now.Year() {
				year -= 100
			}
		}
		t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
		return t.Format(time.DateOnly), t.Day() == day && int(t.Month()) == month && year > 0
	}
	// A time after the date says nothing: 1990-05-17T00:00:00Z, 1990-05-17 00:00.
	if len(s) > 10 && s[4] == '-' && (s[10] == 'T' || s[10] == ' ') {
		s = s[:10]
	}
	s = strings.Join(strings.Fields(strings.ReplaceAll(s, ",", " ")), " ")
	for _, layout := range otherDates {
		if t, err := time.Parse(layout, s); err == nil {
			if t.After(now) {
				t = t.AddDate(-100, 0, 0) // two digits of a year
			}
			return t.Format(time.DateOnly), true
		}
	}
	return "", false
}

// therapists finds staff members by what a column calls them.
type therapists map[string]int64

func newTherapists(staff []db.StaffMember) therapists {
	known := therapists{}
	for _, m := range staff {
		if !m.DisabledAt.IsZero() {
			continue
		}
		first, last := splitName(m.Name)
		for _, key := range []string{m.Name, last + ", " + first, last + " " + first, m.Email.Canonical()} {
			if other, ok := known[nameKey(key)]; ok && other != m.ID {
				known[nameKey(key)] = 0 // two of one name: neither is meant for certain
			} else {
				known[nameKey(key)] = m.ID
			}
		}
	}
	return known
}

// find returns the staff members whom a cell names, and the names that are nobody's here.
func (t therapists) find(cell string) (ids []int64, unknown []string) {
	for _, name := range strings.FieldsFunc(cell, func(r rune) bool { return r == ';' || r == '|' || r == '/' }) {
		name = oneLine(name)
		if name == "" {
			continue
		}
		// Titles follow commas: “Tom Tran, PhD, LCSW”.
		id, plain := t[nameKey(name)], name
		for id == 0 && strings.Contains(plain, ",") {
			plain = plain[:strings.LastIndexByte(plain, ',')]
			id = t[nameKey(plain)]
		}
		if id == 0 {
			unknown = append(unknown, name)
		} else if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, unknown
}

// nameKey makes two spellings of one name equal: no marks, no case, only letters, digits and what addresses need.
func nameKey(name string) string {
	return strings.Join(strings.FieldsFunc(db.SearchFold(name), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("@+._-", r)
	}), " ")
}

// quoted is a cell's text in a sentence, cut when it is long.
func quoted(s string) string {
	runes := []rune(oneLine(s))
	if len(runes) > 60 {
		runes = append(runes[:60], '…')
	}
	return fmt.Sprintf("“%s”", string(runes))
}
