package handlers

import (
	"net/http"
	"net/smtp"
	"strings"
	"testing"

	"anteroom/mail/mailbox"
)

func TestMailbox(t *testing.T) {
	newSite(t).as("").get("/demo/mailbox").want(http.StatusNotFound) // outside the demo there is none

	box, err := mailbox.Open(mailbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	s := newSite(t, func(c *Config) { c.Mailbox = box })
	s.as("").get("/demo/mailbox").want(http.StatusOK, "No mail yet")
	source := "From: Elm <elm@elm.example>\r\nTo: Ann <ann@mail.example>\r\nSubject: Hello <b>Ann</b>\r\nContent-Type: text/html\r\n\r\n" +
		"<html><head><title>x</title></head><body><a href=\"http://localhost:8080/link/x\">Join</a></body></html>\r\n"
	if err := smtp.SendMail(box.Addr(), nil, "elm@elm.example", []string{"ann@mail.example"}, []byte(source)); err != nil {
		t.Fatal(err)
	}
	page := s.as("").get("/demo/mailbox").want(http.StatusOK, "Hello <b>Ann</b>", "To Ann <ann@mail.example>")
	frame := s.as("").get(page.doc.Find("iframe").AttrOr("src", "")).want(http.StatusOK, "Join")
	if !strings.Contains(frame.body, `<base target="_top">`) {
		t.Error("a link would open inside the frame")
	}
	s.as("").htmx().get("/demo/mailbox?q=nobody").want(http.StatusOK, "Nothing found")
	s.as("").get("/demo/mailbox/99").want(http.StatusNotFound)
}
