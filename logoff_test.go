package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"anteroom/db"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// movingClock is how far the program's clock is ahead, in a file that it reads.
type movingClock struct {
	t     *testing.T
	file  string
	ahead time.Duration
}

// move moves the clock on at once, as it does for a machine that slept.
func (m *movingClock) move(by time.Duration) {
	m.t.Helper()
	m.ahead += by
	next := m.file + ".next"
	if err := errors.Join(os.WriteFile(next, []byte(m.ahead.String()), 0o600), os.Rename(next, m.file)); err != nil {
		m.t.Fatal(err)
	}
}

// serveByClock starts the program on the house, by a clock that can be moved.
func (h *house) serveByClock() (*server, *movingClock) {
	h.t.Helper()
	self, err := os.Executable()
	if err != nil {
		h.t.Fatal(err)
	}
	clock := &movingClock{t: h.t, file: filepath.Join(h.t.TempDir(), "clock")}
	clock.move(0)
	return launch(h.t, exec.Command(self), []string{shiftedClock + "=" + clock.file, "ANTEROOM_DATA=" + h.folder,
		"ANTEROOM_SMTP_URL=smtp://" + h.relay.Addr() + "?tls=none", "ANTEROOM_SMTP_FROM=portal@willow.example"}), clock
}

// anotherTab opens a tab beside the person's own, in the same browser, with the same cookies.
func (p *person) anotherTab() *person {
	p.t.Helper()
	tab := &person{t: p.t, name: p.name + "'s other tab", site: p.site, screen: p.screen, script: true, part: "html"}
	ctx, cancel := chromedp.NewContext(p.ctx, chromedp.WithListener(tab.listen))
	tab.ctx = ctx
	p.t.Cleanup(cancel)
	tab.must(chromedp.Do(tab.ctx))
	tab.dress(p.screen, "light")
	p.t.Cleanup(func() {
		for _, fault := range tab.faults {
			p.t.Errorf("%s: %s", tab.name, fault)
		}
	})
	return tab
}

// comesBack has the page notice that it is looked at again, and waits until the server has told it how things are.
func (p *person) comesBack() {
	p.t.Helper()
	const asked = `performance.getEntriesByType('resource').filter(e => e.name.includes('/session?')).length`
	before := evaluate[int64](p, asked)
	evaluate[chromedp.Void](p, `dispatchEvent(new Event('focus'))`)
	p.until("word of its session", func() (bool, error) {
		now, err := perform(p, chromedp.Evaluate[int64](asked))
		return now != before || err != nil || p.where() == "/sign-in", nil
	})
}

const (
	warned   = "You will be signed out in a minute"
	kept     = "what you typed is kept"
	lastName = "Legal last name"
)

// The automatic logoff, as people meet it: a warning in time, and what was typed is kept for whoever typed it.
func TestStoryLogoff(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	h := furnish(t, func(tx *db.Tx, h *house) error { return errors.Join(settle(tx, h), tx.RequireSecondStep(false, false)) })
	site, clock := h.serveByClock()
	olga := comes(t, browser, site.url, "Olga", desktop)
	olga.signsIn(olgasEmail, password)
	olga.at("/clients")
	other := olga.anotherTab()
	other.opens("/clients")

	// Warned in time, by keyboard: she stays.
	olga.opens("/clients/new")
	olga.fills(lastName, "Novak")
	clock.move(14*time.Minute + 10*time.Second)
	olga.comesBack()
	olga.sees(warned)
	olga.seesNot("Sign in again")
	if focus := olga.focused(); focus != "Stay signed in" {
		t.Errorf("the focus is on %q", focus)
	}
	olga.inspects("logoff-warning")
	olga.presses(kb.Enter)
	olga.until("the warning to go", func() (bool, error) { return !strings.Contains(olga.text(), warned), nil })
	if got := olga.value("textbox", lastName); got != "Novak" || olga.focused() != lastName {
		t.Errorf("after the warning, %q is typed and the focus on %q", got, olga.focused())
	}

	// What she does in another tab postpones it.
	clock.move(14 * time.Minute)
	other.opens("/clients")
	clock.move(30 * time.Second)
	olga.comesBack()
	olga.seesNot(warned)

	// It is over: nothing is readable or in reach, until she is back.
	clock.move(16 * time.Minute)
	olga.comesBack()
	olga.sees(kept)
	olga.seesNot(lastName)
	if title := evaluate[string](olga, `document.title`); strings.Contains(title, "client") {
		t.Errorf("the title still says %q", title)
	}
	for range 4 {
		olga.presses(kb.Tab)
		if evaluate[bool](olga, `!document.activeElement.closest('#covered, body:not(main *)') || !!document.activeElement.closest('main')`) {
			t.Errorf("the focus gets behind the cover, to %q", olga.focused())
		}
	}
	olga.presses(kb.Escape)
	olga.presses(kb.Escape)
	olga.seesNot(lastName)
	olga.sees(kept)
	olga.inspects("logged-off")
	other.opens("/sign-in")
	other.signsIn(olgasEmail, password)
	other.at("/clients")
	olga.comesBack()
	olga.sees(lastName)
	if got := olga.value("textbox", lastName); got != "Novak" {
		t.Errorf("%q is left of what she typed", got)
	}
	olga.fills("Legal first name", "Nina")
	olga.clicks("button", "Add the client")
	olga.at("/clients/[0-9a-f-]{36}")
	olga.sees("Novak, Nina")

	// Brought back from the browser's memory, with no network: nothing is readable until the server says that she is still in.
	evaluate[chromedp.Void](olga, `window.online = fetch; window.fetch = () => Promise.reject(new TypeError('no network')); dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))`)
	olga.seesNot("Novak")
	if title := evaluate[string](olga, `document.title`); strings.Contains(title, "Novak") {
		t.Errorf("the title still says %q", title)
	}
	evaluate[chromedp.Void](olga, `window.fetch = window.online; dispatchEvent(new Event('online'))`)
	olga.sees("Novak, Nina")

	// Nothing typed: the page goes.
	clock.move(16 * time.Minute)
	olga.comesBack()
	olga.at("/sign-in")
	olga.sees("You were signed out to keep this private.")
	olga.seesNot("Novak")
	if next := evaluate[string](olga, `new URLSearchParams(location.search).get('next')`); !strings.HasPrefix(next, "/clients/") {
		t.Errorf("after signing in she would come to %q", next)
	}

	// Somebody else signs in: what she typed is not for them.
	olga.signsIn(olgasEmail, password)
	olga.at("/clients/[0-9a-f-]{36}")
	olga.opens("/clients/new")
	olga.fills(lastName, "Secret")
	clock.move(16 * time.Minute)
	olga.comesBack()
	olga.sees(kept)
	other.opens("/sign-in")
	other.signsIn("tom@willow.example", password)
	other.at("/clients")
	evaluate[chromedp.Void](olga, `dispatchEvent(new Event('focus'))`)
	olga.at("/clients")
	olga.seesNot("Secret")
	olga.sees("Tom Tran")

	// The session ends elsewhere: what is typed into a form that leaves the page stays, until its writer is back.
	olga.opens("/clients/new")
	olga.fills(lastName, "Nilsen")
	olga.fills("Legal first name", "Noa")
	other.opens("/security")
	other.clicks("button", "Sign out everywhere")
	other.at("/sign-in")
	other.seesNot("to keep this private") // they did it themselves
	const send = `document.querySelector('main form[method=post]').requestSubmit()`
	evaluate[chromedp.Void](olga, send)
	olga.sees(kept)
	other.signsIn("tom@willow.example", password)
	other.at("/clients")
	olga.comesBack()
	olga.sees(lastName)
	evaluate[chromedp.Void](olga, `window.online = fetch; window.fetch = () => Promise.reject(new TypeError('no network')); `+send) // nobody answers
	olga.at("/clients/[0-9a-f-]{36}")
	olga.sees("Nilsen, Noa")
}

// An answer that couldn't be saved because the session was over is sent once its writer is back. A client's twelve hours end
// with a warning too, and nobody can stay.
func TestStoryLogoffInTheMiddleOfAForm(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	h := furnish(t, func(tx *db.Tx, h *house) error { return errors.Join(settle(tx, h), tx.RequireSecondStep(false, false)) })
	site, clock := h.serveByClock()
	tom := site.visit("")
	tom.signsIn("tom@willow.example")
	draft := tom.post("/clients/" + h.clients["Mia"] + "/drafts").header.Get("Location")
	tom.wantTo(tom.post(draft, "forms.subject", "Forms", "forms.body", "Ready", "form_key", "phq-9", "do", "preview"), draft+"/preview")
	tom.wantTo(tom.post(draft+"/send"), draft+"/sent")

	mia := comes(t, browser, site.url, "Mia", phone)
	mia.signsIn("mia@mail.example", password)
	mia.at("/portal")
	form := evaluate[string](mia, `document.querySelector('a[href^="/portal/forms/"]').pathname`)
	mia.opens(form)
	other := mia.anotherTab()
	clock.move(16 * time.Minute)
	mia.answers("Little interest", "Several days")
	mia.sees(kept)
	mia.seesNot("Several days")
	other.opens("/sign-in")
	other.signsIn("mia@mail.example", password)
	other.at("/portal")
	mia.comesBack()
	mia.sees("All answers saved")
	if got := evaluate[string](other, fmt.Sprintf(`fetch(%q).then(r => r.text()).then(text => new DOMParser().parseFromString(text, 'text/html').querySelector('#answered').textContent)`, form)); !strings.HasPrefix(got, "1 of") {
		t.Errorf("the server has %q", got)
	}

	for range 51 { // 14 minutes at a time, to just before twelve hours
		clock.move(14 * time.Minute)
		evaluate[chromedp.Void](other, `fetch('/portal').then(() => undefined)`)
	}
	clock.move(5*time.Minute + 20*time.Second)
	mia.comesBack()
	mia.sees("twelve hours")
	mia.seesNot("Stay signed in")
	mia.inspects("logoff-twelve-hours")
	mia.clicks("button", "Go on until then")
	mia.seesNot(warned)
	clock.move(2 * time.Minute)
	mia.comesBack()
	mia.at("/sign-in")
}
