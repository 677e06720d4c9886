package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/chromedp/chromedp"
)

// spread types every string of a list into clients' records, as many of them into each as it has fields, and returns the clients
// and the marks that they hold. What a field doesn't take goes into notes.
func (l *ledger) spread(t *testing.T, olga *visitor, list []string) (clients, marks []string) {
	t.Helper()
	fields := []string{"first_name", "last_name", "preferred_name", "pronouns", "guardian", "tags"}
	form := filledIn(olga.form("/clients/new", "first_name"))
	for n := 0; len(list) > 0; n++ {
		record := url.Values{}
		for name, values := range form {
			record[name] = values
		}
		record.Set("first_name", "First")
		record.Set("last_name", fmt.Sprintf("Last %03d", n))
		record.Set("email", fmt.Sprintf("h%d@mail.example", n))
		typed := map[string]string{}
		for _, field := range fields {
			if len(list) > 0 {
				typed[field], list = list[0], list[1:]
				record.Set(field, l.mark("/clients "+field, typed[field]))
			}
		}
		for range 3 {
			a := olga.ask(http.MethodPost, "/clients", record)
			if a.status == http.StatusSeeOther {
				clients = append(clients, a.header.Get("Location"))
				for _, values := range record {
					marks = append(marks, markPattern.FindAllString(values[0], -1)...)
				}
				break
			}
			olga.want(a, http.StatusUnprocessableEntity)
			a.doc().Find("[aria-invalid=true][name]").Each(func(_ int, field *goquery.Selection) {
				name := field.AttrOr("name", "")
				if name == "notes" {
					t.Errorf("notes take %.100q no better", typed[name])
				}
				text := []rune(typed[name])
				notes := strings.TrimSpace(record.Get("notes") + "\n" + l.mark("/clients notes", string(text[:min(len(text), 700)])))
				record.Set("notes", notes)
				record.Set(name, map[string]string{"first_name": "First", "last_name": "Last"}[name])
			})
		}
	}
	return clients, marks
}

// watches checks that a page is the one that was opened, and that nothing which somebody typed ran in it. It returns the marks that
// are shown there.
func (p *person) watches(l *ledger) (marks []string) {
	p.t.Helper()
	found := evaluate[struct {
		Hit   bool   `json:"hit"`
		Here  string `json:"here"`
		Shown string `json:"shown"`
	}](p, `({hit: '__hit' in window, here: location.origin, shown: document.documentElement.textContent + ' ' +
		[...document.querySelectorAll('input, textarea')].map(f => f.value).join(' ')})`)
	if found.Hit {
		p.t.Errorf("at %s a script ran", p.where())
	}
	if found.Here != p.site {
		p.t.Errorf("%s is at %s now", p.name, found.Here)
	}
	l.reads("the browser at "+kindOf(p.where()), found.Shown, false)
	return markPattern.FindAllString(found.Shown, -1)
}

// Each hostile string is shown by a real browser, which listens: nothing runs, opens, is asked for elsewhere or leads away, and the
// browser complains of nothing. Not on whole pages, nor where parts of them are swapped.
func TestStoryHostile(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	h := furnish(t, settle)
	site := h.serve()
	l := newLedger(t)
	maker := site.visit("2001:db8:a::1")
	maker.signsIn(olgasEmail)
	list := corpus()
	n := rounds(150)
	var some []string
	for i := range n {
		some = append(some, list[i*len(list)/n])
	}
	clients, marks := l.spread(t, maker, some)

	olga := comes(t, browser, site.url, "Olga", desktop)
	olga.signsIn(olgasEmail, password)
	olga.at("/clients")
	seen := map[string]bool{}
	shows := func(path string) {
		t.Helper()
		olga.opens(path)
		olga.at(strings.ReplaceAll(path[:strings.IndexByte(path+"?", '?')], "-", `\-`))
		for _, mark := range olga.watches(l) {
			seen[mark] = true
		}
	}
	for i, client := range clients {
		shows(client)
		if i%10 == 0 {
			shows(client + "/edit")
		}
		if i%25 == 0 {
			shows(fmt.Sprintf("/clients?page=%d", 1+i/25))
			shows(fmt.Sprintf("/organization/client-portal/clients?page=%d", 1+i/25))
		}
	}
	for _, mark := range marks {
		if !seen[mark] {
			t.Errorf("the browser never showed what was typed into %s: %.100q", l.typed[mark].field, l.typed[mark].text)
		}
	}
	if len(marks) != len(some) {
		t.Errorf("of %d strings %d were taken", len(some), len(marks))
	}

	// Parts of pages: what is found as one types, and previews one after another.
	olga.opens("/organization/client-portal/clients")
	for _, query := range []string{`<img src=x onerror=`, `javascript:`, `{{`, `"'>`} {
		olga.fillsA("searchbox", "Search clients", query)
		olga.until("what is found for "+query, func() (bool, error) {
			return perform(olga, chromedp.Evaluate[bool](fmt.Sprintf(`!document.querySelector('.htmx-request') && new URLSearchParams(location.search).get('q') == %q`, query)))
		})
		olga.watches(l)
	}
	olga.opens("/organization/client-portal/clients?q=mail.example")
	olga.clicks("button", fmt.Sprintf("Select all found (%d)", len(clients)+len(h.clients)))
	olga.sees(fmt.Sprintf("%d clients selected", len(clients)+len(h.clients)))
	olga.clicks("button", "Invite to Client Portal")
	olga.at("/drafts/[^/]+")
	olga.clicks("button", "Preview Invitation")
	olga.sees("will receive")
	for i := range 8 {
		heading := `document.querySelector('#preview h2')?.textContent`
		before := evaluate[string](olga, heading)
		evaluate[chromedp.Void](olga, `document.querySelector('#preview a[rel=next]').click()`)
		olga.until("the next preview", func() (bool, error) {
			now, err := perform(olga, chromedp.Evaluate[string](heading))
			return now != before, err
		})
		if olga.watches(l); i == 0 {
			olga.inspects("preview-hostile")
		}
	}

	// What the practice says of itself, on its own pages and in the portal.
	mia := comes(t, browser, site.url, "Mia", phone)
	mia.signsIn("mia@mail.example", password)
	mia.at("/portal")
	for i := range max(3, n/40) {
		for _, page := range []struct{ path, field string }{{"/organization/settings", "name"}, {"/organization/client-portal/settings", "welcome"}} {
			form := maker.form(page.path, page.field)
			values := filledIn(form)
			for _, name := range []string{"name", "address", "welcome", "help", "crisis"} {
				if values.Has(name) {
					if text := some[(i*7+len(name)*31)%len(some)]; len(text) < 90 {
						values.Set(name, l.mark(page.path+" "+name, text))
					}
				}
			}
			maker.want(maker.ask(http.MethodPost, page.path, values), http.StatusSeeOther)
		}
		mia.opens("/portal")
		mia.at("/portal")
		mia.watches(l)
		for _, path := range []string{"/organization/settings", "/organization/client-portal/settings", "/organization/client-portal/messages/invitation"} {
			shows(path)
		}
	}
}
