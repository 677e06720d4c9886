package main

import (
	"context"
	"fmt"
	"net/smtp"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"anteroom/mail/mailbox"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// maxFirstVisit is what a first visit may cost over the wire, in bytes.
const maxFirstVisit = 60_000

// password is everybody's who chooses one.
const password = "a quiet place to wait"

func TestStoryFirstVisit(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	site := start(t, nil, "demo")
	visitor := comes(t, browser, site.url, "visitor", phone)
	visitor.opens("/")
	visitor.at("/sign-in")
	if n := visitor.received(); n == 0 || n > maxFirstVisit {
		t.Errorf("a first visit costs %d bytes", n)
	}
	visitor.sees("This is a demo")
	visitor.sees("olga@willow.example")
	visitor.inspects("sign-in")
	visitor.expect("status of 422")
	visitor.signsIn("nobody@mail.example", password)
	visitor.sees("don't match")
	visitor.inspects("sign-in-refused")
	visitor.expect("status of 404")
	visitor.opens("/nowhere")
	visitor.sees("Page not found")
	visitor.inspects("not-found")
	visitor.opens("/forgotten-password")
	visitor.inspects("forgotten-password")
}

// A practice begins: set-up, then every page of Organization while it is still empty.
func TestStorySetUp(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	site := start(t, []string{"ANTEROOM_DATA=" + t.TempDir()}, "serve")
	code := site.says(`with the code (\S+)`)[1]
	olga := comes(t, browser, site.url, "Olga", desktop)
	olga.opens("/")
	olga.at("/set-up")
	olga.inspects("set-up")
	olga.setsUp(code)
	olga.sees("No clients yet")
	olga.inspects("clients-none")
	olga.clicks("link", "Organization")
	for _, page := range []string{"Client Portal", "Staff", "Import", "Export", "Settings"} {
		olga.in(".side", func() { olga.clicks("link", page) })
		olga.at("/organization/.*" + strings.ToLower(strings.ReplaceAll(page, " ", "-")) + ".*")
		olga.inspects("organization-" + strings.ToLower(page))
	}
}

func (p *person) setsUp(code string) {
	p.t.Helper()
	p.fillsInSetUp(code)
	p.setsUpStep()
	p.at("/clients")
}

func (p *person) fillsInSetUp(code string) {
	p.t.Helper()
	p.opens("/set-up")
	p.fills("Code", code)
	p.fills("Practice's name", "Willow Street Counseling")
	p.fills("Phone", "555-0100")
	p.fillsA("combobox", "Time zone", "America/New_York")
	p.fills("Name", "Olga Olson")
	p.fills("Email", "olga@willow.example")
	p.fills("Password", password)
	p.clicks("button", "Set up the practice")
}

func (p *person) signsIn(email, password string) {
	p.t.Helper()
	if p.where() != "/sign-in" {
		p.opens("/sign-in")
	}
	p.fills("Email", email)
	p.fills("Password", password)
	p.clicks("button", "Sign in")
}

// signsInAs signs in as the member of the demo's staff with that role.
func (p *person) signsInAs(role string, site *server) {
	p.t.Helper()
	line := site.says(`(?m)^.*` + role + `\b.*?(\S+@\S+)\s+(\S.*)$`)
	p.signsIn(line[1], strings.TrimSpace(line[2]))
	p.at("/clients")
}

// The job: an import, an invitation to two who were found by two searches, and one of them joins, fills in and signs.
func TestStory(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	site := start(t, nil, "demo")
	olga := comes(t, browser, site.url, "Olga", desktop)
	olga.signsInAs("[Aa]dministrator", site)
	olga.inspects("clients")
	tellTheStory(t, olga,
		comes(t, browser, site.url, "reader of the demo's mail", desktop),
		comes(t, browser, site.url, "Fern", phone))
}

// The same job in browsers that run no script.
func TestStoryWithoutScript(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	site := start(t, nil, "demo")
	olga := comes(t, browser, site.url, "Olga", desktop, withoutScript)
	olga.signsInAs("[Aa]dministrator", site)
	tellTheStory(t, olga,
		comes(t, browser, site.url, "reader of the demo's mail", desktop, withoutScript),
		comes(t, browser, site.url, "Fern", phone, withoutScript))
}

func tellTheStory(t *testing.T, olga, mailReader, fern *person) {
	if runs := evaluate[bool](olga, `typeof htmx != 'undefined'`); runs != olga.script {
		t.Fatalf("scripts run: %t", runs)
	}
	olga.imports("First Name,Last Name,Email,Date of Birth\nFern,Fjord,fern@mail.example,1991-04-03\nGus,Glade,gus@mail.example,1985-12-24\nHope,Hale,,1999-09-09\n")
	olga.inspects("import-check")
	olga.clicks("button", "Import 3 clients")
	olga.sees("imported")

	olga.clicks("link", "Organization")
	olga.at("/organization/client-portal/settings")
	olga.in("main", func() { olga.clicks("link", "Manage Clients") })
	olga.at("/organization/client-portal/clients")
	olga.inspects("manage-clients")
	olga.searches("hale hope", "1 client")
	if !evaluate[bool](olga, `document.querySelector('#found [name=on]').disabled`) {
		t.Error("a client without an address can be ticked")
	}
	olga.searches("fjord fern", "1 client")
	olga.clicks("checkbox", "Fjord, Fern")
	if olga.script {
		olga.sees("1 client selected")
	}
	olga.searches("gus@mail", "1 client")
	olga.sees("1 client selected")
	olga.clicks("checkbox", "Glade, Gus")
	if olga.script {
		olga.sees("2 clients selected")
		olga.opens("/organization/client-portal/clients")
		olga.sees("2 clients selected")
	}
	olga.inspects("manage-clients-selected")
	olga.clicks("button", "Invite to Client Portal")

	olga.at("/drafts/[^/]+")
	olga.sees("2 clients are invited.")
	body := olga.value("textbox", "Message")
	if olga.script {
		olga.clicks("textbox", "Message")
		olga.clicks("button", "{client_preferred_name}")
		if !strings.Contains(olga.value("textbox", "Message"), "{client_preferred_name}") {
			t.Error("a click on a placeholder doesn't insert it")
		}
	}
	olga.fills("Message", body)
	olga.clicks("button", "Preview Invitation")
	olga.sees("What Fern Fjord will receive")
	if olga.script {
		olga.at("/drafts/[^/]+") // beside what is being written
		olga.inspects("compose-preview")
	} else {
		olga.clicks("link", "Back to message and forms")
		olga.at("/drafts/[^/]+")
	}
	olga.expect("status of 422")
	olga.in("#compose", func() { olga.fills("Message", "Hello {client_fist_name}") })
	olga.clicks("button", "Preview Invitation")
	olga.sees("{client_fist_name}")
	olga.sees("Please check")
	olga.inspects("compose-refused")
	olga.fills("Message", body+"\n\nSee you soon, {client_first_name}.")
	for _, form := range olga.names("checkbox", ".choice") {
		if strings.Contains(form, "Questionnaire (GAD-7)") || strings.Contains(form, "Intake Questionnaire") || strings.Contains(form, "Informed Consent") {
			olga.ticks(form, false)
		} else if !strings.Contains(form, "Save default") {
			olga.ticks(form, true)
		}
	}
	olga.inspects("compose")
	olga.clicks("button", "Preview Invitation")
	olga.sees("What Fern Fjord will receive")
	olga.seesFramed("/letter", "See you soon, Fern.")
	olga.inspects("preview")
	olga.in("#preview", func() {
		olga.clicks("link", "Next")
		olga.sees("What Gus Glade will receive")
		olga.unfolds("Change this message")
		olga.fills("Subject", "Gus, your forms")
		olga.clicks("button", "Change for Gus only")
		olga.sees("Gus, your forms")
		olga.clicks("button", "Invite to Client Portal")
	})
	olga.at("/drafts/[^/]+/sent")
	if olga.script {
		olga.sees("2 letters were accepted by the mail server.") // by itself
	} else {
		olga.until("both letters to be accepted", func() (bool, error) {
			olga.opens(olga.where())
			return strings.Contains(olga.text(), "2 letters were accepted by the mail server."), nil
		})
	}
	olga.inspects("sent")

	link := mailReader.linkIn("fern@mail.example")
	fern.joins(link)
	fern.fillsIn(t)

	olga.opens("/organization/client-portal/clients")
	olga.searches("fern", "1 client")
	olga.sees("Active")
	olga.sees("Needs a look")
	if !evaluate[bool](olga, `document.querySelector('#found tbody tr').classList.contains('has-account')`) {
		t.Error("the row of a client with an account is not green")
	}
	olga.opens("/clients?q=fern")
	olga.clicks("link", "Fjord, Fern")
	olga.at("/clients/[^/]+")
	olga.sees("Completed")
	olga.inspects("client-details")
	olga.clicks("link", "Read Patient Health Questionnaire (PHQ-9)")
	olga.at("/form-requests/[^/]+")
	olga.sees("Several days")
	olga.sees("Needs a look")
	olga.inspects("completed-form")
	olga.clicks("button", "Mark as reviewed")
	olga.sees("reviewed by")
}

// imports brings a CSV file, up to what would happen to its rows.
func (p *person) imports(csv string) {
	p.t.Helper()
	file := filepath.Join(p.t.TempDir(), "clients.csv")
	p.must(os.WriteFile(file, []byte(csv), 0o600))
	p.opens("/organization/import")
	p.uploads(file)
	p.clicks("button", "Look at the rows")
	p.at("/organization/import/[^/]+")
}

// searches types a search, presses the button where no script watches, and waits for the count.
func (p *person) searches(query, count string) {
	p.t.Helper()
	p.fillsA("searchbox", "Search clients", query)
	if !p.script {
		p.clicks("button", "Search")
	}
	p.until(count+" for "+query, func() (bool, error) {
		now, err := perform(p, chromedp.Evaluate[string](`document.querySelector('#count').textContent + '|' + document.querySelector('[type=search]').value`))
		return now == count+"|"+query, err
	})
}

// linkIn finds the letter to an address in the demo's mailbox, and the link in it.
func (p *person) linkIn(address string) string {
	p.t.Helper()
	p.opens("/demo/mailbox?q=" + address)
	p.inspects("mailbox")
	p.must(act(p, chromedp.Click(chromedp.CSS("#letters li a"))))
	p.at("/demo/mailbox/[^/]+")
	p.inspects("mailbox-letter")
	p.in("#letter", func() { p.clicks("link", "Plain text") })
	p.until("the letter's text", func() (bool, error) {
		return perform(p, chromedp.Evaluate[bool](`!!document.querySelector('#letter pre.mail-text')`))
	})
	p.inspects("mailbox-text")
	link := regexp.MustCompile(`https?://\S+/link/\S+`).FindString(evaluate[string](p, `document.querySelector('#letter pre.mail-text').textContent`))
	if link == "" {
		p.t.Fatalf("no link in the letter to %s:\n%s", address, p.text())
	}
	return link
}

// The demo's mailbox, as a mail client: letters are opened beside the list, which stays where it is; new mail comes by itself; Back
// leads back.
func TestStoryMailbox(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	site := start(t, nil, "demo", "-mailbox-addr", "127.0.0.1:0")
	relay := site.says(`smtp://(\S+)`)[1]
	send := func(subject string) {
		t.Helper()
		if err := smtp.SendMail(relay, nil, "me@mail.example", []string{"you@mail.example"}, []byte("Subject: "+subject+"\r\n\r\nText\r\n")); err != nil {
			t.Fatal(err)
		}
	}
	reader := comes(t, browser, site.url, "reader of the demo's mail", desktop)
	reader.opens("/demo/mailbox")
	reader.clicks("DisclosureTriangle", "Send mail here from another program: "+relay)
	reader.sees("curl smtp://" + relay)
	reader.inspects("mailbox-none-open")
	evaluate[chromedp.Void](reader, `document.querySelector('#letters').scrollTo(0, 900)`)
	reader.must(act(reader, chromedp.Click(chromedp.CSS("#letters li:nth-child(12) a"))))
	reader.at("/demo/mailbox/[0-9]+")
	first := reader.where()
	reader.until("the letter to have the focus", func() (bool, error) {
		return perform(reader, chromedp.Evaluate[bool](`document.activeElement.id == 'subject' && document.querySelector('#letters [aria-current]:not(.unread)') != null`))
	})
	scrolled := func(to int) {
		t.Helper()
		if at := evaluate[int](reader, `Math.round(document.querySelector('#letters').scrollTop)`); at < to-200 || at > to+200 {
			t.Errorf("the list was scrolled to %d", at)
		}
	}
	scrolled(900)
	reader.clicks("link", "Source")
	reader.sees("Download the source")
	if focus := reader.focused(); focus != "Source" {
		t.Errorf("the focus went to %q", focus)
	}
	reader.inspects("mailbox-source")
	reader.tabsTo("Download the source")
	reader.clicks("link", "Next letter")
	reader.sees("13 of ")
	if focus := reader.focused(); focus != "Next letter" {
		t.Errorf("the focus went to %q", focus)
	}
	send("News from outside")
	reader.sees("1 new letter arrived.")
	reader.sees("News from outside")
	reader.sees("14 of ")
	scrolled(900)
	reader.fillsA("searchbox", "Search mail", "news")
	reader.sees("1 letter found")
	evaluate[chromedp.Void](reader, `history.back()`)
	reader.at(first)
	reader.sees("13 of ") // the new letter is above it

	holder := comes(t, browser, site.url, "holder of a phone", phone)
	holder.opens("/demo/mailbox")
	if !evaluate[bool](holder, `document.querySelector('#letter').offsetHeight == 0`) {
		t.Error("on a phone something stands below the list")
	}
	holder.must(act(holder, chromedp.Click(chromedp.CSS("#letters li:nth-child(3) a"))))
	holder.at("/demo/mailbox/[0-9]+")
	holder.until("the letter in place of the list", func() (bool, error) {
		return perform(holder, chromedp.Evaluate[bool](`document.querySelector('#letter article') != null && document.querySelector('#letters').offsetHeight == 0`))
	})
	holder.inspects("mailbox-letter-phone")
	holder.clicks("link", "Back to the list")
	holder.at("/demo/mailbox")
	holder.clicks("DisclosureTriangle", "Empty …")
	holder.clicks("button", "Empty the mailbox")
	holder.sees("No mail yet")
	holder.inspects("mailbox-empty")
}

// joins follows the link and chooses a password.
func (p *person) joins(link string) {
	p.t.Helper()
	p.opens(link)
	p.at("/choose-password")
	p.inspects("join")
	p.expect("status of 422")
	p.fills("Password", "password1234")
	p.clicks("button", "Join Client Portal")
	p.until("a refusal of a common password", func() (bool, error) {
		return perform(p, chromedp.Evaluate[bool](`!!document.querySelector('#password-error')`))
	})
	p.inspects("join-refused")
	p.fills("Password", password)
	p.clicks("button", "Join Client Portal")
	p.at("/portal")
	p.inspects("portal")
}

// fillsIn fills in both forms: one with an answer that worries, one with a signature.
func (p *person) fillsIn(t *testing.T) {
	p.t.Helper()
	p.clicks("link", "Start: Patient Health Questionnaire (PHQ-9)")
	p.at("/portal/forms/[^/]+")
	p.inspects("form")
	for _, question := range []string{"Little interest", "Feeling down", "Trouble falling", "Feeling tired", "Poor appetite", "Feeling bad about", "Trouble concentrating", "Moving or speaking"} {
		p.answers(question, "Several days")
	}
	if p.script {
		p.sees("8 of ")
		p.sees("All answers saved")
		p.seesNot("You don’t have to wait to get help")
		p.answers("better off dead", "Several days")
		p.sees("You don’t have to wait to get help") // at once
		p.opens(p.where())
		if ticked := evaluate[int](p, `document.querySelectorAll('form input:checked').length`); ticked != 9 {
			t.Errorf("after a reload %d answers are there", ticked)
		}
	} else {
		p.answers("better off dead", "Several days")
		p.clicks("button", "Save and finish later")
		p.at("/portal")
		p.sees("You don’t have to wait to get help")
		p.clicks("link", "Continue: Patient Health Questionnaire (PHQ-9)")
		p.at("/portal/forms/[^/]+")
	}
	p.inspects("form-crisis")
	p.clicks("button", "Submit")
	p.at("/portal/forms/[^/]+/thank-you")
	p.sees("What happens next")
	p.inspects("thank-you")

	p.clicks("link", "Next: Notice of Privacy Practices: Acknowledgement")
	p.at("/portal/forms/[^/]+")
	p.clicks("button", "Sign and submit") // too early
	p.sees("need another look")
	p.inspects("form-refused")
	p.ticks("I have been offered this practice’s full Notice of Privacy Practices, or told where I can read it.", true)
	p.answers("Who is signing?", "I am the client")
	p.fills("Your full legal name", "Fern Fjord")
	p.in("fieldset.signature", func() {
		for _, consent := range p.names("checkbox", "fieldset.signature") {
			p.ticks(consent, true)
		}
	})
	p.clicks("button", "Sign and submit")
	p.at("/portal/forms/[^/]+/thank-you")
	p.sees("That was everything")
	p.inspects("thank-you-last")
	p.clicks("link", "Your forms")
	p.at("/portal")
	p.sees("You’re all done")
	p.inspects("portal-done")
	p.clicks("link", "Read: Notice of Privacy Practices: Acknowledgement")
	p.sees("Fern Fjord")
	p.inspects("form-sent")
}

// unfolds opens what a summary hides.
func (p *person) unfolds(summary string) {
	p.t.Helper()
	p.clicks("DisclosureTriangle", summary)
}

// The program is killed twice: while letters leave, and after a client typed an answer. Nothing that was said to be done is
// lost, and a letter that may have arrived twice did so as the same bytes.
func TestStoryKilled(t *testing.T) {
	t.Parallel()
	const clients, beforeTheKill = 40, 5
	browser := chromium(t)
	release, arrived := make(chan struct{}), make(chan struct{}, clients)
	relay, err := mailbox.Open(mailbox.Options{Script: mailbox.Script{Data: func(mailbox.Conn, mailbox.Letter) error {
		select {
		case arrived <- struct{}{}:
		default:
		}
		if len(arrived) > beforeTheKill {
			<-release
		}
		return nil
	}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { relay.Close() })
	env := []string{"ANTEROOM_DATA=" + t.TempDir(), "ANTEROOM_SMTP_URL=smtp://" + relay.Addr() + "?tls=none", "ANTEROOM_SMTP_FROM=portal@willow.example"}
	site := start(t, env, "serve")
	env = append(env, "ANTEROOM_ADDR="+strings.TrimPrefix(strings.Replace(site.url, "localhost", "127.0.0.1", 1), "http://"))

	olga := comes(t, browser, site.url, "Olga", desktop)
	olga.setsUp(site.says(`with the code (\S+)`)[1])
	list := "First Name,Last Name,Email\n"
	for i := range clients {
		list += fmt.Sprintf("Client,Number%02d,client%02d@mail.example\n", i, i)
	}
	olga.imports(list)
	olga.clicks("button", fmt.Sprintf("Import %d clients", clients))
	olga.sees("clients were imported.")
	olga.opens("/organization/client-portal/clients")
	olga.clicks("button", fmt.Sprintf("Select all found (%d)", clients))
	olga.sees(fmt.Sprintf("%d clients selected", clients))
	olga.clicks("button", "Invite to Client Portal")
	olga.at("/drafts/[^/]+")
	olga.ticks("Patient Health Questionnaire (PHQ-9)", true)
	olga.clicks("button", "Preview Invitation")
	olga.in("#preview", func() { olga.clicks("button", "Invite to Client Portal") })
	olga.at("/drafts/[^/]+/sent")
	sent := olga.where()
	olga.until("letters at the relay", func() (bool, error) { return len(arrived) > beforeTheKill, nil })
	olga.opens("about:blank") // a page that polls would complain of the outage
	site.stop(syscall.SIGKILL)
	close(release)

	site = start(t, env, "serve")
	olga.opens(sent)
	olga.at(sent) // still signed in
	// What may have arrived is tried again after a while.
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	byAddress := map[string][]mailbox.Letter{}
	for n := clients; len(byAddress) < clients; n++ {
		letters, err := relay.Wait(ctx, n)
		clear(byAddress)
		for _, l := range letters {
			byAddress[l.EnvelopeTo] = append(byAddress[l.EnvelopeTo], l)
		}
		if err != nil {
			t.Fatalf("letters for %d of %d clients: %v", len(byAddress), clients, err)
		}
	}
	for address, letters := range byAddress {
		for _, l := range letters {
			if string(l.Source) != string(letters[0].Source) {
				t.Errorf("%s received two different letters", address)
			}
		}
	}
	// A letter that had arrived before the kill is sent once more too: only then does the outbox know of it.
	all := fmt.Sprintf("%d letters were accepted by the mail server.", clients)
	olga.untilWithin(3*time.Minute, all, func() (bool, error) {
		olga.opens(sent)
		if text := olga.text(); strings.Contains(text, all) && !strings.Contains(text, "in the queue") {
			return true, nil
		}
		next, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err := relay.Wait(next, len(relay.List())+1)
		return false, err
	})

	fern := comes(t, browser, site.url, "Fern", phone)
	fern.opens(regexp.MustCompile(`https?://\S+/link/\S+`).FindString(byAddress["client00@mail.example"][0].Text))
	fern.at("/choose-password")
	fern.fills("Password", password)
	fern.clicks("button", "Join Client Portal")
	fern.at("/portal")
	fern.clicks("link", "Start: Patient Health Questionnaire (PHQ-9)")
	fern.at("/portal/forms/[^/]+")
	fern.answers("Little interest", "Nearly every day")
	fern.sees("All answers saved")
	site.stop(syscall.SIGKILL)
	start(t, env, "serve")
	fern.opens(fern.where())
	if !evaluate[bool](fern, `document.querySelectorAll('form input:checked').length == 1`) {
		t.Error("the answer is lost")
	}
	fern.sees("1 of ")
}

// The staff's way to a sent invitation, without a mouse.
func TestStoryByKeyboard(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	site := start(t, nil, "demo")
	olga := comes(t, browser, site.url, "Olga", desktop)
	olga.signsInAs("[Aa]dministrator", site)
	olga.tabsTo("Skip to main content")
	olga.tabsTo("Organization")
	olga.presses(kb.Enter)
	olga.at("/organization/client-portal/settings")
	olga.tabsTo("Skip to main content")
	olga.presses(kb.Enter)
	olga.tabsTo("Manage Clients")
	olga.presses(kb.Enter)
	olga.at("/organization/client-portal/clients")
	name := evaluate[string](olga, `document.querySelector('#found tbody tr:not(.unavailable):not(.has-account) th label').textContent`)
	olga.tabsTo("Search clients")
	olga.presses(name)
	olga.sees("Select all found (1)")
	olga.tabsTo(name)
	olga.presses(" ")
	olga.sees("1 client selected")
	olga.tabsTo("Invite to Client Portal")
	olga.presses(kb.Enter)
	olga.at("/drafts/[^/]+")
	olga.tabsTo("Message")
	olga.tabsTo("{practice_phone}")
	olga.presses(" ")
	if !strings.Contains(olga.value("textbox", "Message"), "{practice_phone}") {
		t.Error("a placeholder can't be inserted by keyboard")
	}
	olga.tabsTo("Preview Invitation")
	olga.presses(kb.Enter)
	olga.sees("will receive")
	olga.until("the focus to be on the preview", func() (bool, error) { return strings.HasSuffix(olga.focused(), "will receive"), nil })
	olga.tabsTo("Invite to Client Portal")
	olga.presses(kb.Enter)
	olga.at("/drafts/[^/]+/sent")
	olga.sees("1 letter was accepted by the mail server.")
}

// A therapist with the permission invites from a client's page, where there is no default to save.
func TestStoryFromClientDetails(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	site := start(t, nil, "demo")
	tom := comes(t, browser, site.url, "Tom", phone)
	tom.signsInAs("therapist, may invite", site)
	name := evaluate[string](tom, `document.querySelector('tr:has([data-state=not-invited]) th a').textContent`)
	tom.clicks("link", name)
	tom.at("/clients/[^/]+")
	tom.clicks("button", "Invite to Client Portal")
	tom.at("/drafts/[^/]+")
	for _, choice := range tom.names("checkbox", "main") {
		if strings.Contains(choice, "default") {
			t.Errorf("a therapist is offered %q", choice)
		}
	}
	tom.clicks("button", "Preview Message")
	tom.sees("will receive")
	tom.inspects("preview-one")
	tom.in("#preview", func() { tom.clicks("button", "Invite to Client Portal") })
	tom.at("/drafts/[^/]+/sent")
	tom.sees("1 letter was accepted by the mail server.")
	tom.in("#progress", func() { tom.clicks("link", name) })
	tom.at("/clients/[^/]+")
	tom.sees("Invited, expires")
	tom.inspects("client-invited")
}

var publicID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}|\b\d+\b`)

// Everybody follows the links that they are shown, to three pages of each kind: none is dead, and each page passes. axe passes
// over a page of a shape that it has seen: it would find the same again, and takes longer than all else.
func TestStoryEveryLink(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	site := start(t, nil, "demo")
	var shapes sync.Map // that somebody was shown
	for role, signInAs := range map[string]string{"administrator": "[Aa]dministrator", "therapist": "therapist, may invite", "front desk": "front desk"} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			p := comes(t, browser, site.url, role, desktop)
			p.signsInAs(signInAs, site)
			pages := p.followsLinks("/clients", &shapes)
			for _, page := range []string{"/clients", "/clients/*"} {
				if !slices.Contains(pages, page) {
					t.Errorf("%s never came to %s, only to %q", role, page, pages)
				}
			}
			if role == "administrator" && len(pages) < 15 {
				t.Errorf("%s came to few pages: %q", role, pages)
			}
		})
	}
}

// shapeOf is a page without its words and addresses: which elements stand in which, and how they look. Of alike ones in a row,
// such as those of a table, it counts one.
const shapeOf = `(() => {
	const words = /^(href|src|action|id|for|name|value|title|alt|content|datetime|d|list|form|aria-(label|labelledby|describedby|controls)|hx-.*|data-(?!state|sign).*)$/
	const shape = node => {
		if (node.nodeType == Node.TEXT_NODE) return node.data.trim() && 'text'
		if (node.nodeType != Node.ELEMENT_NODE) return ''
		const attributes = [...node.attributes].map(a => a.name + '=' + (words.test(a.name) ? a.value != '' : a.value))
		const parts = [...node.childNodes].map(shape).filter(part => part).filter((part, i, all) => part != all[i - 1])
		return '<' + [node.localName, ...attributes].join(' ') + '>' + parts.join('') + '</>'
	}
	return shape(document.documentElement)
})()`

// followsLinks opens three pages of every kind that can be reached by links from one, and inspects those of a new shape. It
// returns the kinds.
func (p *person) followsLinks(first string, shapes *sync.Map) (kinds []string) {
	p.t.Helper()
	seen, of := map[string]bool{}, map[string]int{}
	for open := []string{first}; len(open) > 0; open = open[1:] {
		path, kind := open[0], publicID.ReplaceAllString(open[0], "*")
		if seen[path] || of[kind] == 3 {
			continue
		}
		seen[path] = true
		if of[kind]++; of[kind] == 1 {
			kinds = append(kinds, kind)
		}
		p.opens(path)
		p.at("/.*")
		if _, before := shapes.LoadOrStore(evaluate[string](p, shapeOf), true); before {
			for _, on := range []screen{phone, desktop} {
				p.dress(on, "light")
				p.fits("linked "+kind, on)
			}
		} else {
			p.inspects("linked " + kind)
		}
		open = append(open, evaluate[[]string](p, `[...document.querySelectorAll('a[href]:not([download])')]
			.filter(a => a.origin == location.origin).map(a => a.pathname)`)...)
	}
	return kinds
}
