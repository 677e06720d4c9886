package main

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// hasPasskeys gives a person a device that keeps passkeys, and knows its owner by the finger.
func (p *person) hasPasskeys(on webauthn.AuthenticatorTransport) (device webauthn.AuthenticatorID) {
	p.t.Helper()
	p.must(call(p, webauthn.Enable, webauthn.EnableParams{}))
	added, err := ask(p, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: on, HasResidentKey: true,
		HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true}})
	p.must(err)
	return added.AuthenticatorID
}

// isKnown has the device know its owner, or not.
func (p *person) isKnown(device webauthn.AuthenticatorID, known bool) {
	p.t.Helper()
	p.must(call(p, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: device, IsUserVerified: known}))
}

// The administrator begins with a passkey, signs in with it alone, takes it for a second step after the password, and proves with
// it who she is before she exports.
func TestStoryPasskey(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	folder := t.TempDir()
	site := start(t, []string{"ANTEROOM_DATA=" + folder}, "serve")
	olga := comes(t, browser, site.url, "Olga", desktop)
	device := olga.hasPasskeys(webauthn.AuthenticatorTransportInternal)
	olga.fillsInSetUp(site.says(`with the code (\S+)`)[1])
	olga.at("/second-step")
	olga.sees("The quick way: a passkey")
	olga.inspects("second-step-set-up-passkey")
	olga.isKnown(device, false)
	olga.clicks("button", "Use a passkey")
	olga.sees("No passkey was used")
	olga.inspects("second-step-set-up-cancelled")
	olga.isKnown(device, true)
	olga.clicks("button", "Use a passkey")
	olga.sees("Your recovery codes")
	olga.clicks("link", "I have kept them: go on")
	olga.at("/clients")

	olga.isKnown(device, false) // or it would take what the browser offers beside her address by itself
	olga.signsOut()
	olga.at("/sign-in")
	olga.inspects("sign-in-passkey")
	olga.clicks("button", "Sign in with a passkey")
	olga.sees("No passkey was used")
	olga.inspects("sign-in-passkey-cancelled")
	olga.isKnown(device, true)
	olga.clicks("button", "Sign in with a passkey")
	olga.at("/clients")

	olga.isKnown(device, false)
	olga.signsOut()
	olga.at("/sign-in")
	olga.signsIn("olga@willow.example", password)
	olga.at("/second-step")
	olga.sees("Your second step")
	olga.inspects("second-step-passkey")
	olga.isKnown(device, true)
	olga.clicks("button", "Use your passkey")
	olga.at("/clients")

	olga.signsOut()
	olga.at("/clients") // by what the browser offers beside her address

	// A while later
	site.stop(syscall.SIGTERM)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	site = launch(t, exec.Command(self), []string{shiftedClock + "=11m", "ANTEROOM_DATA=" + folder})
	olga.site = site.url
	olga.opens("/organization/export")
	olga.expect("status of 403")
	olga.clicks("button", "Export the clients")
	olga.sees("Confirm it’s you")
	olga.inspects("confirm-passkey")
	olga.clicks("button", "Use your passkey")
	olga.until("the export", func() (bool, error) {
		return strings.Contains(site.log.String(), "route=/organization/export method=POST status=200"), nil
	})

	// The form that waits for the proof holds a passkey of its own.
	site.stop(syscall.SIGTERM)
	site = launch(t, exec.Command(self), []string{shiftedClock + "=22m", "ANTEROOM_DATA=" + folder})
	olga.site = site.url
	olga.opens("/security")
	olga.expect("status of 403")
	evaluate[chromedp.Void](olga, `(form => { form.method = 'post'; form.action = '/security/passkeys/new'; form.innerHTML = '<input name="passkey">'; form.submit() })(document.body.appendChild(document.createElement('form')))`)
	olga.sees("Confirm it’s you")
	olga.expect("status of 422")
	olga.clicks("button", "Use your passkey")
	olga.sees("Add a passkey")

	olga.opens("/security")
	olga.sees("Last used")
	olga.inspects("security-passkeys")
	olga.clicks("link", "Add a passkey")
	olga.inspects("new-passkey")
	olga.clicks("button", "Add the passkey")
	olga.sees("has a passkey for you already")
	olga.hasPasskeys(webauthn.AuthenticatorTransportUsb)
	olga.fills("Name", "Security key")
	olga.clicks("button", "Add the passkey")
	olga.sees("The passkey is added")
	olga.clicks("link", "Change Security key")
	olga.inspects("passkey")
	olga.clicks("button", "Remove this passkey")
	olga.sees("The passkey is removed")
	olga.seesNot("Security key")
}

func (p *person) signsOut() {
	p.t.Helper()
	p.opens("/security")
	p.clicks("DisclosureTriangle", "Olga Olson")
	p.clicks("button", "Sign out")
}
