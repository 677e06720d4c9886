package handlers

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/mail"
	"anteroom/practice"

	"github.com/PuerkitoBio/goquery"
)

// facetsOf are the states that the list of sendings offers, with their numbers.
func facetsOf(a answer) string {
	return strings.Join(a.doc.Find(".facets a").Map(func(_ int, f *goquery.Selection) string { return strings.Join(strings.Fields(f.Text()), " ") }), ", ")
}

func TestInvitations(t *testing.T) {
	s := newSite(t)
	s.library()
	olga := s.as("Olga")
	olga.get(invitationsPath).want(200, "0 sendings", "Nothing was sent yet")

	// Ann is invited by Tom, and opens her link; Ben is refused; Cal's invitation expired.
	cal := db.Client{FirstName: "Cal", LastName: "Cruz", Email: mustEmail(t, "cal@mail.example")}
	s.update(func(tx *db.Tx) error { return tx.AddClient(&cal) })
	_, letter := invite(t, s, cal, "a")
	settle(t, s, letter)
	s.Clock.Move(8 * 24 * time.Hour) // everybody's session is over
	s.signAllIn()
	olga = s.as("Olga")
	_, letter = invite(t, s, s.Ben, "b")
	s.update(func(tx *db.Tx) error {
		_, err := tx.ExecContext(t.Context(), "UPDATE letters SET state = 'failed', reply = '550 5.1.1 No such mailbox here', settled_at = 1 WHERE id = ?", letter.ID)
		return err
	})
	link, letter := invite(t, s, s.Ann, "a")
	settle(t, s, letter)
	s.update(func(tx *db.Tx) error { return tx.NoteLinkOpened(link.ID) })

	page := olga.get(invitationsPath).want(200, "3 sendings", "3 clients were invited: 0 joined, 0 of them finished their forms.",
		"Link opened, expires Nov 17, 2026", "Couldn't be sent", "Expired", "0 of 1", "by Olga Olson", "Resend to the 1 that expired")
	if got := facetsOf(page); got != "All 3, Couldn't be sent 1, Link opened 1, Expired 1" {
		t.Errorf("facets %q", got)
	}
	if got := each(page, "tbody th a"); got != "Abbott, Ann | Bell, Ben | Cruz, Cal" {
		t.Errorf("rows %q", got)
	}
	if side := page.text(".side .badge"); side != "1 couldn't be sent" {
		t.Errorf("the side menu says %q", side)
	}
	for query, want := range map[string]string{
		"q=ann":                            "Abbott, Ann",
		"staff=" + s.Tess.PublicID():       "Bell, Ben",
		"staff=nobody":                     "Cruz, Cal",
		"from=2026-11-10":                  "Abbott, Ann | Bell, Ben",
		"from=2026-11-02&to=2026-11-02":    "Cruz, Cal",
		"to=2026-11-01":                    "",
		"state=Link+opened":                "Abbott, Ann",
		"state=Expired&q=cal&staff=nobody": "Cruz, Cal",
		"state=nonsense":                   "Abbott, Ann | Bell, Ben | Cruz, Cal",
		"trouble=yes":                      "",
		"page=99":                          "Abbott, Ann | Bell, Ben | Cruz, Cal",
	} {
		part := olga.htmx().get(invitationsPath + "?" + query).want(200)
		if got := each(part, "tbody th a"); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
		if part.doc.Find("h1").Length() != 0 || part.doc.Find("output#count[hx-swap-oob=true]").Length() != 1 {
			t.Errorf("%s: not the list alone", query)
		}
	}
	// A state narrows down what the rest lets through, and leaves the other states' numbers as they are.
	page = olga.get(invitationsPath+"?state=Expired&to=2026-11-30").want(200, "1 sending found")
	if got := facetsOf(page); got != "All 3, Couldn't be sent 1, Link opened 1, Expired 1" || page.text(".facets [aria-current]") != "Expired 1" {
		t.Errorf("facets %q", got)
	}
	if got := page.doc.Find("input[form=filter][name=state]").AttrOr("value", ""); got != "Expired" {
		t.Errorf("another search would forget the state: %q", got)
	}
	olga.get(invitationsPath+"?from=yesterday").wantError("from", "Enter a day")
	olga.get(invitationsPath+"?from=2026-11-03&to=2026-11-02").wantError("to", "before the first")

	// Ticked, without script.
	olga.follow(olga.post(invitationsPath, "do", "resend", "q", "ann")).want(200, "Nobody is ticked yet")
	s.Clock.Move(6 * time.Minute)
	s.signAllIn()
	olga = s.as("Olga")
	ticked := olga.post(invitationsPath, "do", "resend", "on", s.Ben.PublicID, "on", s.Ben.PublicID, "on", s.Mia.PublicID, "state", "Couldn't be sent")
	question := ticked.header.Get("Location")
	asked := olga.follow(ticked).want(200, "Send again to 1 client?", "Left out: 1 to whom there is nothing to send again.")
	olga.get(question).want(200, "Send again to 1 client?") // loaded again
	olga.get(invitationsPath+"?q=ben").want(200, "1 sending found")
	page = olga.follow(olga.post(invitationsPath, append(fields(asked, "resend"), "on", s.Mia.PublicID)...)).
		want(200, "Sent again to 1. Left out: 1 to whom there is nothing to send again.", "Nothing found")
	olga.get(question).want(200, "There is nobody to send to again", "Left out: 1 who was sent something in the last five minutes, 1 to whom there is nothing to send again.")
	olga.post(invitationsPath, append([]string{"do", "resend"}, strings.Fields(strings.Repeat("on x ", 26))...)...).want(400)
	olga.get(invitationsPath+"?q=ben").want(200, "Queued", "Replaced")

	// All that expired: asked first, in numbers.
	asked = olga.follow(olga.post(invitationsPath, "do", "expired", "staff", "nobody")).want(200, "Send again to 1 client whose invitation expired?")
	olga.get(invitationsPath+"?q=cal").want(200, "1 sending found")
	olga.follow(olga.post(invitationsPath, fields(asked, "expired")...)).want(200, "Sent again to 1.")
	page = olga.get(invitationsPath).want(200)
	if got := facetsOf(page); got != "All 5, Queued 2, Link opened 1, Replaced 2" {
		t.Errorf("facets %q", got)
	}
	olga.follow(olga.post(invitationsPath, "do", "expired")).want(200, "Sent again to 0.")
	olga.post(invitationsPath, "do", "something").want(400)

	file := olga.post(invitationsPath, "do", "csv", "state", "Replaced").want(200)
	if got := strings.Count(file.body, "\r\n"); got != 3 || !strings.Contains(file.body, "Ben,Bell,ben@mail.example,invitation,2026-11-10T") ||
		file.header.Get("Content-Disposition") != `attachment; filename="invitations-2026-11-10.csv"` {
		t.Errorf("%v %s", file.header, file.body)
	}
	for _, who := range []string{"Tom", "Tess", "Finn"} {
		s.as(who).get(invitationsPath).want(403)
		s.as(who).post(invitationsPath, "do", "csv").want(403)
	}
}

// signAllIn gives everybody in the cast a new session.
func (s *testSite) signAllIn() {
	s.t.Helper()
	s.update(func(tx *db.Tx) error {
		for _, who := range []struct{ name, id string }{{"Olga", s.Olga.PublicID()}, {"Tom", s.Tom.PublicID()}, {"Tess", s.Tess.PublicID()}, {"Finn", s.Finn.PublicID()}} {
			m, err := tx.Staff(who.id)
			if err != nil {
				return err
			}
			if s.Sessions[who.name], err = tx.AddSession(db.Session{StaffID: m.ID}); err != nil {
				return err
			}
		}
		return nil
	})
}

func mustEmail(t *testing.T, s string) db.Email {
	t.Helper()
	e, err := db.ParseEmail(s)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestInvitationsInPages(t *testing.T) {
	s := newSite(t)
	for n := range 30 {
		c := db.Client{FirstName: "Zoe", LastName: fmt.Sprintf("Zz%02d", n), Email: mustEmail(t, fmt.Sprintf("zoe%d@mail.example", n))}
		s.update(func(tx *db.Tx) error { return tx.AddClient(&c) })
		invite(t, s, c, "a")
	}
	olga := s.as("Olga")
	page := olga.get(invitationsPath+"?state=Queued&q=zoe").want(200, "30 sendings found", "1–25 of 30")
	page = olga.get(page.doc.Find("a[rel=next]").AttrOr("href", "")).want(200, "26–30 of 30")
	if got := page.doc.Find("a[rel=prev]").AttrOr("href", ""); got != invitationsPath+"?q=zoe&state=Queued" {
		t.Error(got)
	}
}

func TestClientsSendings(t *testing.T) {
	s := newSite(t)
	link, letter := invite(t, s, s.Ann, "a")
	tom, path := s.as("Tom"), "/clients/"+s.Ann.PublicID
	page := tom.get(path).want(200, "Invitations and messages", "Waits in the queue", "it can be sent again from 10:09 AM")
	if page.doc.Find("#sendings").Closest("section").Find("button[disabled]").Text() != "Resend" {
		t.Error("it can be sent again at once")
	}
	tom.post(path+"/resend").want(422, "it can be sent again from 10:09 AM", "Abbott, Ann")
	settle(t, s, letter)
	s.update(func(tx *db.Tx) error { return tx.NoteLinkOpened(link.ID) })
	s.Clock.Move(5 * time.Minute)
	tom.get(path).want(200, "Accepted by the mail server", "250 OK", "Link opened (possibly by a mail scanner)", "Forms: 0 of 1 completed")
	page = tom.follow(tom.post(path+"/resend")).want(200, "It is on its way again.", "1 earlier sending", "A newer invitation took its place", "Tom Tran sent the invitation again")
	if got := each(page, "#sendings ~ p .badge, details h3 .badge"); got != "Replaced" {
		t.Errorf("the earlier one is %q", got)
	}
	s.as("Finn").post(path + "/resend").want(403)
	s.as("Tess").post(path + "/resend").want(404)
	if s.as("Finn").get(path).want(200).doc.Find("form[action$='/resend'], form[action$='/address-marks']").Length() != 0 {
		t.Error("Finn is offered what he may not do")
	}
	tom.follow(tom.post("/clients/"+s.Mia.PublicID+"/resend")).want(200, "over already")
}

// That mail bounced is said wherever the next would be sent from, and keeps nobody from sending.
func TestBouncedAddress(t *testing.T) {
	s := newSite(t)
	s.library()
	_, letter := invite(t, s, s.Ann, "a")
	settle(t, s, letter)
	s.Clock.Move(6 * time.Minute)
	tom, olga, path := s.as("Tom"), s.as("Olga"), "/clients/"+s.Ann.PublicID
	mark := func(do string) answer {
		t.Helper()
		return tom.post(path+"/address-marks", "do", do, "address", "ann@mail.example")
	}
	const bounced = "Mail to this address bounced on Nov 2, 2026"
	tom.follow(mark("bounced")).want(200, "Noted: mail to this address bounced.", "Couldn't be sent", bounced, "Check it with the client first", "Correct the address", "Mail reaches it again")
	tom.follow(tom.post(path+"/address-marks", "do", "bounced", "address", "other@mail.example")).want(200, "over already")
	for _, list := range []string{"/clients?q=ann", manageClientsPath + "?q=ann", invitationsPath + "?trouble=yes"} {
		olga.get(list).want(200, "Couldn't be sent", bounced)
	}
	if got := facetsOf(olga.get(invitationsPath)); got != "All 1, Couldn't be sent 1, Bounced or not theirs 1" {
		t.Errorf("facets %q", got)
	}
	asked := olga.follow(olga.post(invitationsPath, "do", "resend", "on", s.Ann.PublicID)).want(200, "Sent again to 0. Left out: 1 whose mail bounced.")
	if got := asked.doc.Find("tbody input[name=on]:not([disabled])").Length(); got != 1 {
		t.Errorf("%d can be ticked", got)
	}
	if olga.get(manageClientsPath+"?q=ann").doc.Find("tbody input[name=on]:not([disabled])").Length() != 1 {
		t.Error("the warning keeps from sending")
	}
	draft := s.olgasDraft(s.Ann, s.Ben)
	olga.get(draft).want(200, "1 of them has an address from which mail bounced", bounced+": check it first")
	olga.get(draft+"/preview").want(200, bounced+": check it first")
	if text := olga.get(draft + "/preview?client=" + s.Ben.PublicID).want(200).main(); strings.Contains(text, "bounced on") {
		t.Error("Ben's preview warns of Ann's address")
	}
	olga.post(draft + "/send").wantTo(draft + "/sent")
	page := tom.follow(mark("lift")).want(200, "Noted: mail reaches this address again.", "Mark as bounced", "Tom Tran noted that mail reaches the address again")
	if strings.Contains(page.text("#contact ~ *"), "bounced on") {
		t.Error("the mark is still shown")
	}
	if strings.Contains(olga.get(invitationsPath).main(), "Bounced or not theirs") {
		t.Error("the list still speaks of trouble")
	}
	// Who said that mail isn't meant for them can't be ticked.
	s.update(func(tx *db.Tx) error {
		letters, err := tx.ClientLetters(db.Everybody(), s.Ann.ID)
		if err != nil {
			return err
		}
		letters[0].CreatedAt = tx.Now().Add(time.Minute)
		_, err = tx.MarkUnwanted(letters[0])
		return err
	})
	list := olga.get(invitationsPath+"?q=ann").want(200, "isn't meant for them")
	if got := list.doc.Find("tbody tr:first-child .tick input[disabled]").AttrOr("aria-label", ""); !strings.HasPrefix(got, "Abbott, Ann: Whoever reads this address said") || list.doc.Find("tbody input[name=on]").Length() != 0 {
		t.Errorf("%q\n%s", got, list.main())
	}
	olga.follow(olga.post(invitationsPath, "do", "resend", "on", s.Ann.PublicID)).want(200, "Sent again to 0. Left out: 1 who can't be reached.")
	if list.doc.Find("form output[data-ticked=on]").Length() != 1 {
		t.Error("nothing says how many are ticked")
	}
	if html, _ := list.doc.Find("tbody th .sub").First().Html(); html != "ann<wbr/>@mail<wbr/>.example" {
		t.Errorf("an address may break elsewhere: %s", html)
	}
}

// While nothing leaves, pages say why and when it goes on, and what sending again would do.
func TestSendingsWhileTheOutboxIsHeld(t *testing.T) {
	s := withOutbox(t)
	letter := db.Letter{PublicID: s.invited(s.Ann)["Ann"]}
	tom, olga, path := s.as("Tom"), s.as("Olga"), "/clients/"+s.Ann.PublicID
	tom.get(path).want(200, "Waits in the queue: No mail server is set up")
	olga.get(mailQueuePath+"/"+letter.PublicID).want(200, "WaitsNo mail server is set up", "Tries0")

	// A claim that reached no mail server is no try; one that was put off is.
	claim := func(deferred bool) {
		t.Helper()
		s.update(func(tx *db.Tx) error {
			claimed, err := tx.ClaimLetters(1, time.Minute)
			if err != nil || len(claimed) != 1 {
				return fmt.Errorf("claimed %d: %w", len(claimed), err)
			}
			return tx.SettleLetter(db.Settlement{Letter: claimed[0], State: db.LetterQueued, Due: tx.Now(), Deferred: deferred})
		})
	}
	claim(false)
	if got := tom.get(path).want(200, "Waits in the queue").main(); strings.Contains(got, "Tried once") {
		t.Error(got)
	}
	claim(true)
	page := tom.get(path).want(200, "Tried once so far; it waits in the queue: No mail server is set up")
	if got := page.doc.Find("#sendings").Closest("section").Find("li:last-child time").Length(); got != 0 || strings.Contains(page.main(), "next try") {
		t.Errorf("a try of which nobody knows when it was is dated: %s", page.main())
	}
	olga.get(mailQueuePath+"/"+letter.PublicID).want(200, "Tries1, put off by the mail server 1 time")

	s.Clock.Move(10 * time.Minute)
	tom.get(path).want(200, "No letter leaves at the moment: what is sent now waits.")
	s.update(func(tx *db.Tx) error {
		claimed, err := tx.ClaimLetters(1, time.Minute)
		return errors.Join(err, tx.SettleLetter(db.Settlement{Letter: claimed[0], State: db.LetterAccepted, Reply: "250 OK"}))
	})
	olga.get(mailQueuePath+"/"+letter.PublicID).want(200, "Tries2")
	olga.post(mailPath+"/outbox", "turn", "pause")
	tom.get(path).want(200, "Sending is paused: the link that works now would end, and the new one waits.")
	olga.follow(olga.post(invitationsPath, "do", "resend", "on", s.Ann.PublicID)).want(200, "Send again to 1 client?", "links that work now would end, and the new ones wait")
	tom.follow(tom.post(path+"/resend")).want(200, "It waits in the queue: Olga Olson paused the outbox.")
}

func TestNextTry(t *testing.T) {
	now := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		held       string
		retry, due time.Duration // from now; 0: none
		want       time.Duration
	}{
		{"", 0, -time.Hour, 0},
		{"", 0, time.Hour, time.Hour},
		{"Paused.", 0, time.Hour, 0},
		{"Away.", time.Minute, -time.Hour, time.Minute},
		{"Away.", time.Minute, time.Hour, time.Hour},
	} {
		status := practice.OutboxStatus{Status: mail.Status{Held: c.held}}
		if c.retry != 0 {
			status.Retry = now.Add(c.retry)
		}
		got := status.Next(now.Add(c.due), now)
		if c.want == 0 && !got.IsZero() || c.want != 0 && !got.Equal(now.Add(c.want)) {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// Once an address was corrected, the one way on is to invite again.
func TestInviteAgainAfterTheAddressChanged(t *testing.T) {
	s := newSite(t)
	_, letter := invite(t, s, s.Ann, "a")
	settle(t, s, letter)
	tom, path := s.as("Tom"), "/clients/"+s.Ann.PublicID
	form := tom.get(path + "/edit").want(200)
	var changed []string
	form.doc.Find("main form [name]").Each(func(_ int, in *goquery.Selection) {
		if in.Is("[type=checkbox], button") {
			return
		}
		value := in.AttrOr("value", in.Text())
		switch name := in.AttrOr("name", ""); name {
		case "email":
			value = "ann.abbott@mail.example"
			fallthrough
		default:
			if !in.Is("select") {
				changed = append(changed, name, value)
			}
		}
	})
	page := tom.follow(tom.post(path+"/edit", changed...)).want(200, "The changes were saved.", "Ended: the address was changed")
	if got := each(page, "[aria-label='What next'] button, [aria-label='What next'] a"); got != "Invite again" {
		t.Errorf("the way on is %q", got)
	}
	tom.follow(tom.post(path + "/drafts")).want(200)
}
