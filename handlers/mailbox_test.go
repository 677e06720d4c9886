package handlers

import (
	"fmt"
	"net/http"
	"net/smtp"
	"strings"
	"testing"
	"time"

	"anteroom/mail/mailbox"
)

// mailSite is a site with a mailbox, as the demo has.
func mailSite(t *testing.T) (*testSite, *mailbox.Box) {
	t.Helper()
	box, err := mailbox.Open(mailbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { box.Close() })
	return newSite(t, func(c *Config) { c.Mailbox = box }), box
}

func sendMail(t *testing.T, box *mailbox.Box, to, source string) {
	t.Helper()
	if err := smtp.SendMail(box.Addr(), nil, "elm@elm.example", []string{to}, []byte(strings.ReplaceAll(source, "\n", "\r\n"))); err != nil {
		t.Fatal(err)
	}
}

func TestMailboxIsTheDemos(t *testing.T) {
	s := newSite(t)
	for _, path := range []string{"", "/1", "/1/letter", "/1/source"} {
		s.as("Olga").get(mailboxPath + path).want(http.StatusNotFound)
	}
	for _, path := range []string{"/read", "/empty"} {
		s.as("Olga").post(mailboxPath + path).want(http.StatusNotFound)
	}
}

const bothParts = "From: \"Elm\" <elm@elm.example>\nTo: Ann <ann@mail.example>\nDate: Mon, 23 Nov 2026 09:00:00 +0000\nSubject: Hello <b>Ann</b>\n" +
	"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/alternative; boundary=b\n\n" +
	"--b\n\nJoin: http://localhost:8080/link/x. <i>\n--b\nContent-Type: text/html\n\n<a href=\"http://localhost:8080/link/x\">Join</a>\n--b--\n" +
	"--a\nContent-Type: application/pdf; name=\"<u>.pdf\"\n\nPDF\n--a--\n"

func TestMailboxReadsLikeOne(t *testing.T) {
	s, box := mailSite(t)
	reader := s.as("")
	reader.get(mailboxPath).want(http.StatusOK, "No mail yet", "0 letters, 0 unread", box.Addr())
	reader.get(mailboxPath + "/1").want(http.StatusNotFound)
	sendMail(t, box, "ann@mail.example", bothParts)
	sendMail(t, box, "secret@mail.example", "Subject: Second\nTo: Everybody <all@mail.example>\n\nText\xfc alone\n")

	list := reader.get(mailboxPath).want(http.StatusOK, "2 letters, 2 unread", "Hello <b>Ann</b>", "Join: http://localhost:8080/link/x. <i>", "No letter is open")
	if got := list.text("#letters a"); got != strings.Join([]string{"Unread. To Everybody <all@mail.example>", list.text("#letter-2 time"), "Second Textü alone",
		"Unread. To Ann <ann@mail.example>", list.text("#letter-1 time"), "Hello <b>Ann</b> Join: http://localhost:8080/link/x. <i>"}, " ") {
		t.Errorf("the list: %s", got)
	}
	if reader.get(mailboxPath + "/2/letter"); box.State().Unread != 2 {
		t.Error("a frame has read a letter")
	}

	page := reader.get(list.doc.Find("#letter-1").AttrOr("href", "")).want(http.StatusOK, "2 letters, 1 unread", "Elm <elm@elm.example>", "Nov 23, 2026, 4:00 AM", "2 of 2", "<u>.pdf application/pdf, 3 bytes")
	if page.doc.Find("#letters .unread").Length() != 1 || page.doc.Find("#letters [aria-current=true]").AttrOr("id", "") != "letter-1" || page.doc.Find("#next").AttrOr("aria-disabled", "") != "true" {
		t.Errorf("the opened letter isn't marked: %s", page.main())
	}
	frame := reader.get(page.doc.Find("iframe").AttrOr("src", "")).want(http.StatusOK, "Join")
	if !strings.Contains(frame.body, `<base target="_top">`) {
		t.Error("a link would open inside the frame")
	}
	if policy := frame.header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; img-src data:; style-src 'unsafe-inline';") || !strings.HasSuffix(policy, "sandbox allow-top-navigation-by-user-activation") {
		t.Errorf("the frame may do %s", policy)
	}

	text := reader.get(page.doc.Find("#view-text").AttrOr("href", "")).want(http.StatusOK)
	if got := text.doc.Find("pre[aria-label='Plain text']").Text(); got != "Join: http://localhost:8080/link/x. <i>" {
		t.Errorf("text: %q", got)
	}
	if got := text.doc.Find("pre a").AttrOr("href", ""); got != "http://localhost:8080/link/x" || text.doc.Find("#view-text").AttrOr("aria-current", "") != "page" {
		t.Errorf("a link in the text leads to %q", got)
	}
	source := reader.get(text.doc.Find("#view-source").AttrOr("href", "")).want(http.StatusOK, "elm@elm.example to ann@mail.example", "Content-Typemultipart/mixed; boundary=a")
	if got := source.doc.Find("pre[aria-label=Source]").Text(); got != bothParts {
		t.Errorf("source: %q", got)
	}
	second := reader.get(source.doc.Find("#previous").AttrOr("href", "")).want(http.StatusOK, "1 of 2", "Delivered tosecret@mail.example", "Arrived", `Text\xFC alone`)
	if raw := reader.get(mailboxPath + "/2/source"); !strings.Contains(raw.body, "Text\xfc alone\r\n") || !strings.HasPrefix(raw.header.Get("Content-Disposition"), "attachment") {
		t.Errorf("downloaded: %q", raw.body)
	}
	reader.get(second.doc.Find("#view-html").AttrOr("href", "")).want(http.StatusOK, "The letter has no HTML")
	reader.get(mailboxPath+"/2").want(http.StatusOK, "Textü alone", "0 unread")

	sendMail(t, box, "x@mail.example", "Subject: Only HTML\nContent-Type: text/html\n\n<p>Hello <b>you</b></p>")
	reader.get(mailboxPath+"/3?view=text").want(http.StatusOK, "The letter has no plain text.", "Hello you")
	reader.get(mailboxPath+"/3?view=nonsense").want(http.StatusOK, "1 of 3")
}

func TestMailboxSearch(t *testing.T) {
	s, box := mailSite(t)
	for i, name := range []string{"Ann", "Ben", "Ann"} {
		sendMail(t, box, strings.ToLower(name)+"@mail.example", fmt.Sprintf("Subject: Letter %d\nTo: %s\n\nText\n", i+1, name))
	}
	reader := s.as("")
	reader.get(mailboxPath+"?q=nobody").want(http.StatusOK, "0 letters found", "Nothing found")
	first := reader.get(mailboxPath+"?q=ANN+letter").want(http.StatusOK, "2 letters found")
	open := reader.get(first.doc.Find("#letter-3").AttrOr("href", "")).want(http.StatusOK, "1 of 2", "2 letters found")
	reader.get(open.doc.Find("#next").AttrOr("href", "")).want(http.StatusOK, "2 of 2", "Letter 1")
	reader.get(open.doc.Find("a.back").AttrOr("href", "")).want(http.StatusOK, "2 letters found")

	// A letter that isn't found keeps its neighbours.
	beside := reader.get(mailboxPath+"/2?q=ann").want(http.StatusOK, "Letter 2")
	if up, down := beside.doc.Find("#previous").AttrOr("href", ""), beside.doc.Find("#next").AttrOr("href", ""); up != mailboxPath+"/3?q=ann&view=text" || down != mailboxPath+"/1?q=ann&view=text" {
		t.Errorf("between %s and %s", up, down)
	}

	// While one types, the list changes and the open letter stays.
	part := reader.htmx().get(mailboxPath+"?q=ann&open=3").want(http.StatusOK, "2 letters found", "1 of 2")
	if part.header.Get("HX-Replace-Url") != mailboxPath+"/3?q=ann" || part.doc.Find("#letter-3").AttrOr("aria-current", "") != "true" || part.doc.Find("article").Length() != 0 {
		t.Errorf("%s: %s", part.header.Get("HX-Replace-Url"), part.body)
	}
	opened := reader.htmx().get(mailboxPath+"/3?q=ann").want(http.StatusOK, "Text")
	if opened.doc.Find("#letters[hx-swap-oob] [aria-current]").Length() != 1 || opened.doc.Find("h2[autofocus]").Length() != 1 || opened.doc.Find("header.site").Length() != 0 {
		t.Errorf("opened beside the list: %s", opened.body)
	}
	if reader.htmx().get(mailboxPath+"/3?q=ann&view=source").doc.Find("[autofocus]").Length() != 0 {
		t.Error("another view takes the focus from its link")
	}
}

func TestMailboxListIsCut(t *testing.T) {
	s, box := mailSite(t)
	var letters strings.Builder
	for range maxMails + 7 {
		letters.WriteString("x")
		sendMail(t, box, "ann@mail.example", "Subject: "+letters.String()+"\n\nText\n")
	}
	if page := s.as("").get(mailboxPath).want(http.StatusOK, "107 letters", "7 older letters"); page.doc.Find("#letters li").Length() != maxMails {
		t.Errorf("%d are listed", page.doc.Find("#letters li").Length())
	}
	sendMail(t, box, "ann@mail.example", "Subject: Long\n\n"+strings.Repeat(strings.Repeat("é", 400)+"\n", maxShown/800+9))
	for _, view := range []string{"text", "source"} {
		page := s.as("").get(mailboxPath+"/108?view="+view).want(http.StatusOK, "This is only its beginning.")
		if n := len(page.doc.Find("pre.mail-text[aria-label]").Text()); n < maxShown-800 || n > maxShown+10 {
			t.Errorf("%s: %d bytes are shown", view, n)
		}
	}
}

// New mail comes by itself, what is open stays open, and nobody is kept signed in by that.
func TestMailboxAsksForNews(t *testing.T) {
	s, box := mailSite(t)
	sendMail(t, box, "ann@mail.example", "Subject: First\n\nText\n")
	olga := s.as("Olga")
	page := olga.get(mailboxPath + "/1")
	news := page.doc.Find("[hx-get*='poll=1']").AttrOr("hx-get", "") + "&open=1&q=&known=" + page.doc.Find("#known").AttrOr("value", "")
	if a := olga.htmx().get(news); a.status != http.StatusNoContent {
		t.Fatalf("no news: %d %s", a.status, a.body)
	}
	sendMail(t, box, "ben@mail.example", "Subject: Second\n\nText\n")
	part := olga.htmx().get(news).want(http.StatusOK, "2 letters, 1 unread", "1 new letter arrived.", "2 of 2")
	if part.doc.Find("#letters [aria-current]").AttrOr("id", "") != "letter-1" || part.doc.Find("#open").AttrOr("value", "") != "1" || part.header.Get("HX-Replace-Url") != "" || box.State().Unread != 1 {
		t.Errorf("what is open: %s", part.body)
	}
	if got := olga.htmx().get(strings.Replace(news, "&q=", "&q=first", 1)).text("#arrived"); got != "" {
		t.Errorf("a letter that isn't searched for arrived: %q", got)
	}
	read := olga.htmx().post(mailboxPath+"/read", "open", "1", "q", "").want(http.StatusOK, "2 letters, 0 unread")
	if read.doc.Find("#letters [aria-current]").Length() != 1 || read.text("#arrived") != "" {
		t.Errorf("read: %s", read.body)
	}
	sendMail(t, box, "ben@mail.example", "Subject: Third\n\nText\n")
	olga.follow(olga.post(mailboxPath+"/read")).want(http.StatusOK, "3 letters, 0 unread")
	olga.follow(olga.post(mailboxPath+"/empty")).want(http.StatusOK, "No mail yet")
	olga.get(mailboxPath + "/1").want(http.StatusNotFound)
	olga.htmx().get(news).want(http.StatusOK, "0 letters, 0 unread")

	s.Clock.Move(14 * time.Minute)
	olga.htmx().get(news)
	s.Clock.Move(2 * time.Minute)
	if olga.get(mailboxPath).doc.Find("details.account").Length() != 0 {
		t.Error("a page that asks for news keeps its reader signed in")
	}
}

// No mail takes the page apart.
func TestMailboxShowsHostileMail(t *testing.T) {
	s, box := mailSite(t)
	evil := `"><script>alert(1)</script><img src=x onerror=alert(1)>{{.}}`
	for _, source := range []string{
		"Subject: " + evil + "\nFrom: " + evil + "\nTo: " + evil + "\nX-" + "Evil: " + evil + "\n\n" + evil + " javascript:alert(1) http://x/" + evil,
		"Subject: x\nContent-Type: text/html\n\n" + evil,
		"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: \"><script>/x; name=\"" + evil + "\"\n\nx\n--a--",
		"\x00\xff\xfe: \x1b\n\n\x00",
		"",
	} {
		sendMail(t, box, "ann@mail.example", source)
	}
	for id := range 5 {
		for _, view := range []string{"", "html", "text", "source"} {
			page := s.as("").get(fmt.Sprintf("%s/%d?view=%s", mailboxPath, id+1, view)).want(http.StatusOK)
			if page.doc.Find("script:not([src^='/static/']), [onerror], a[href^='javascript']").Length() > 0 || strings.ContainsAny(page.body, "\x00\x1b") {
				t.Errorf("letter %d as %q: %s", id+1, view, page.body)
			}
		}
		frame := s.as("").get(fmt.Sprintf("%s/%d/letter", mailboxPath, id+1)).want(http.StatusOK)
		if !strings.Contains(frame.header.Get("Content-Security-Policy"), "sandbox allow-top-navigation-by-user-activation") {
			t.Error("a letter isn't shut in")
		}
	}
}
