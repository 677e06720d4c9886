package main

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
	"github.com/pquerna/otp/totp"
)

// setsUpStep sets up an authenticator app where a second step is owed.
func (p *person) setsUpStep() {
	p.t.Helper()
	p.at("/second-step")
	p.sees("Set up your second step")
	p.inspects("second-step-set-up")
	p.adds()
	p.fills("Code of six digits", p.code(0))
	p.clicks("button", "Go on")
	p.keepsCodes()
}

// adds puts the key that the page shows into the person's authenticator app.
func (p *person) adds() {
	p.t.Helper()
	p.app = strings.ReplaceAll(evaluate[string](p, `document.querySelector('#secret').textContent`), "-", "")
}

// keepsCodes writes down the recovery codes, and goes on.
func (p *person) keepsCodes() {
	p.t.Helper()
	p.sees("Your recovery codes")
	p.inspects("recovery-codes")
	p.codes = strings.Fields(evaluate[string](p, `document.querySelector('#codes').textContent`))
	p.clicks("link", "I have kept them: go on")
}

// code is what the person's authenticator app shows so much later.
func (p *person) code(later time.Duration) string {
	p.t.Helper()
	code, err := totp.GenerateCode(p.app, time.Now().Add(later))
	p.must(err)
	return code
}

// An administrator sets up a second step, and requires one of clients. A client sets it up on a phone without touching it, signs
// in with it without script, and loses it: the administrator lets them in again.
func TestStorySecondStep(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	site := start(t, nil, "demo")
	olga := comes(t, browser, site.url, "Olga", desktop)
	olga.signsInAs("[Aa]dministrator", site)
	olga.unfolds("Olga Olson")
	olga.clicks("link", "Sign-in and security")
	olga.at("/security")
	olga.inspects("security-none")
	olga.clicks("link", "Set up an authenticator app")
	olga.at("/security/authenticator")
	olga.inspects("security-authenticator")
	olga.expect("status of 422")
	olga.adds()
	olga.fills("Code of six digits", "000000")
	olga.clicks("button", "Save")
	olga.sees("That isn't the code")
	olga.fills("Code of six digits", olga.code(0))
	olga.clicks("button", "Save")
	olga.keepsCodes()
	olga.at("/security")
	olga.sees("10 left")
	olga.inspects("security")
	olga.clicks("link", "Make new recovery codes")
	olga.at("/security/recovery-codes")
	olga.inspects("security-new-codes")
	olga.clicks("button", "Make new codes")
	olga.keepsCodes()
	olga.clicks("link", "Remove it")
	olga.at("/security/authenticator/remove")
	olga.inspects("security-remove")
	olga.clicks("link", "Keep it")

	olga.clicks("link", "Organization")
	olga.in(".side", func() { olga.clicks("link", "Security") })
	olga.at("/organization/security")
	olga.inspects("organization-security")
	olga.clicks("checkbox", evaluate[string](olga, `document.querySelector('[name=of_clients]').labels[0].innerText.replace(/\s+/g, ' ')`))
	olga.clicks("button", "Save")
	olga.sees("Saved.")
	olga.sees("1 of")

	olga.opens("/clients?state=active")
	client := evaluate[[]string](olga, `(row => [row.querySelector('th a').textContent, row.innerText.match(/\S+@\S+/)[0]])(document.querySelector('tr:has([data-state=active])'))`)
	mia := comes(t, browser, site.url, "a client", phone)
	mia.signsIn(client[1], password)
	mia.at("/second-step")
	mia.inspects("second-step-client")
	mia.adds()
	mia.tabsTo("Open your app")
	mia.tabsTo("Neither works? Type this key")
	mia.presses(kb.Enter)
	mia.tabsTo("Code of six digits")
	mia.presses(mia.code(0))
	mia.presses(kb.Enter)
	mia.sees("Your recovery codes")
	mia.codes = strings.Fields(evaluate[string](mia, `document.querySelector('#codes').textContent`))
	mia.tabsTo("Copy")
	mia.presses(kb.Enter)
	mia.tabsTo("I have kept them: go on")
	mia.presses(kb.Enter)
	mia.at("/portal")
	mia.clicks("link", "Sign-in and security")
	mia.at("/security")
	mia.inspects("security-client")

	plain := comes(t, browser, site.url, "the client without script", phone, withoutScript)
	plain.signsIn(client[1], password)
	plain.at("/second-step")
	plain.sees("Enter your code")
	plain.inspects("second-step")
	plain.expect("status of 422")
	plain.fills("Code from your app", "111111")
	plain.clicks("button", "Sign in")
	plain.sees("That code doesn't work now")
	plain.inspects("second-step-refused")
	plain.clicks("DisclosureTriangle", "Use a recovery code instead")
	plain.inspects("second-step-recovery")
	plain.fills("Recovery code", mia.codes[0])
	plain.clicks("button", "Sign in")
	plain.at("/portal")

	hasty := comes(t, browser, site.url, "the client who double-clicks", phone)
	hasty.signsIn(client[1], password)
	hasty.at("/second-step")
	hasty.clicks("DisclosureTriangle", "Use a recovery code instead")
	hasty.fills("Recovery code", mia.codes[1])
	hasty.doubleClicks("button", "Sign in")
	hasty.at("/portal")

	olga.clicks("link", client[0])
	olga.at("/clients/[^/]+")
	olga.clicks("link", "Remove their second step")
	olga.at("/clients/[^/]+/second-step")
	olga.inspects("client-second-step")
	olga.clicks("button", "Remove their second step")
	olga.sees("Their second step is removed")
	plain.opens("/portal")
	plain.at("/sign-in")
	plain.signsIn(client[1], password)
	plain.setsUpStep()
	plain.at("/portal")
}

// Ten minutes after signing in, what matters most asks who it is, and goes on with what was typed; with script and without.
func TestStoryConfirm(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	env := []string{"ANTEROOM_DATA=" + t.TempDir(), shiftedClock + "=0s"}
	site := launch(t, exec.Command(self), env)
	olga := comes(t, browser, site.url, "Olga", desktop)
	olga.setsUp(site.says(`with the code (\S+)`)[1])
	olga.opens("about:blank") // a page that polls would complain of the outage
	site.stop(syscall.SIGKILL)
	const later = 11 * time.Minute
	env = append(env, "ANTEROOM_ADDR="+strings.TrimPrefix(strings.Replace(site.url, "localhost", "127.0.0.1", 1), "http://"), shiftedClock+"="+later.String())
	launch(t, exec.Command(self), env)

	olga.opens("/organization/staff/new")
	olga.fills("Name", "Tom Tran")
	olga.fills("Email", "tom@willow.example")
	olga.clicks("radio", olga.names("radio", "main")[1])
	olga.expect("status of 403")
	olga.clicks("button", olga.names("button", "main form")[0])
	olga.sees("Confirm it’s you")
	olga.sees("What you typed is kept")
	olga.inspects("confirm")
	olga.expect("status of 422")
	olga.fills("Code from your app", "000000")
	olga.clicks("button", "Confirm")
	olga.sees("That code doesn't work now")
	olga.inspects("confirm-refused")
	olga.tabsTo("Confirm")
	olga.fills("Code from your app", olga.code(later))
	olga.doubleClicks("button", "Confirm")
	olga.at("/organization/staff/[^/]+")
	olga.sees("Tom Tran")
	olga.sees("The staff member was added.")
}
