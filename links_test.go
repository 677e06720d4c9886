package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// A link in a mail is spent by nothing but a valid new password: not by scanners, however often and from wherever they open it and
// press what they find, nor by what another site has a browser send. Of many good passwords at once one is taken.
func TestLinksAreSpentOnceOnPurpose(t *testing.T) {
	t.Parallel()
	h := furnish(t, settle)
	site := h.serve()
	network := networks()
	olga := site.visit(network())
	olga.signsIn(olgasEmail)
	const whole, some = 1000, 50

	newPassword := func(email string) string {
		v := site.visit(network())
		v.wantTo(v.post("/forgotten-password", "email", email), "/sign-in")
		return h.letter(email, linkInLetter)
	}
	join := func(name string) string {
		olga.invites(h.clients[name])
		return h.letter(strings.ToLower(name)+"@mail.example", linkInLetter)
	}
	newAddress := func(name, email string) string {
		page := olga.want(olga.get("/clients/"+h.clients[name]+"/edit"), http.StatusOK).doc().Find("form:has([name=first_name])")
		form := filledIn(page)
		form.Set("email", email)
		olga.want(olga.ask(http.MethodPost, "/clients/"+h.clients[name]+"/edit", form), http.StatusSeeOther)
		return h.letter(email, linkInLetter)
	}
	joinStaff := func(email string) string {
		olga.want(olga.post("/organization/staff", "name", "Uma Ude", "email", email, "role", "staff"), http.StatusSeeOther)
		return h.letter(email, linkInLetter)
	}
	for _, link := range []struct {
		name   string
		times  int
		racers int
		link   string
		home   string
	}{
		{"to join", whole, 0, join("Ann"), "/portal"},
		{"to join, raced for", some, 100, join("Ben"), "/portal"},
		{"of a forgotten password", some, 20, newPassword("mia@mail.example"), "/portal"},
		{"of a forgotten staff password", some, 20, newPassword("tess@willow.example"), "/clients"},
		{"of a new address", some, 20, newAddress("Leo", "leo@elsewhere.example"), "/portal"},
		{"to begin as staff", some, 20, joinStaff("uma@willow.example"), "/clients"},
	} {
		t.Run("link "+link.name, func(t *testing.T) {
			scanner := site.visit(network())
			scanner.t = t
			good := url.Values{"password": {newWords}}
			for i := range link.times {
				if i%7 == 0 {
					scanner.network = network()
				}
				scanner.wantTo(scanner.ask(http.MethodHead, link.link, nil), "/choose-password")
				scanner.wantTo(scanner.get(link.link), "/choose-password")
				scanner.want(scanner.get("/choose-password"), http.StatusOK)
				scanner.want(scanner.post("/choose-password"), http.StatusUnprocessableEntity)
				scanner.want(scanner.post("/choose-password", "password", "too short"), http.StatusUnprocessableEntity)
				scanner.want(scanner.ask(http.MethodPost, "/choose-password", good, "Sec-Fetch-Site", "cross-site"), http.StatusForbidden)
				scanner.want(scanner.ask(http.MethodPost, "/choose-password", good, "Origin", "https://evil.example"), http.StatusForbidden)
				scanner.want(scanner.post(link.link, "password", newWords), http.StatusNotFound)
			}
			if link.racers > 0 {
				race(t, site, scanner.cookies["link"], link.racers, link.home)
				return
			}
			person := site.visit(network())
			person.t = t
			person.get(link.link)
			person.wantTo(person.post("/choose-password", "password", newWords), link.home)
			person.want(person.get(link.home), http.StatusOK)
			late := site.visit(network())
			late.t = t
			late.get(link.link)
			late.want(late.post("/choose-password", "password", newWords), http.StatusGone)
		})
	}

	t.Run("that a mail wasn't meant for its reader", func(t *testing.T) {
		astray := h.letter("mia@mail.example", notMeantInLetter)
		scanner := site.visit(network())
		scanner.t = t
		for range some {
			scanner.wantTo(scanner.ask(http.MethodHead, astray, nil), "/not-for-me")
			scanner.wantTo(scanner.get(astray), "/not-for-me")
			scanner.want(scanner.get("/not-for-me"), http.StatusOK)
			scanner.want(scanner.ask(http.MethodPost, "/not-for-me", url.Values{}, "Sec-Fetch-Site", "cross-site"), http.StatusForbidden)
			scanner.want(scanner.post(astray), http.StatusNotFound)
		}
		const heard = "our mail isn't meant for them"
		mia := "/clients/" + h.clients["Mia"]
		if strings.Contains(olga.get(mia).text(), heard) {
			t.Error("it was said without a button being pressed")
		}
		scanner.wantTo(scanner.post("/not-for-me"), "/not-for-me?said=yes")
		olga.want(olga.get(mia), http.StatusOK, heard)
	})
}

// newWords are a good password that nobody had.
const newWords = "velvet anchor over tin roofs"

// race sends a good password with one link from many connections that were opened before, all at once.
func race(t *testing.T, site *server, token string, racers int, home string) {
	t.Helper()
	body := url.Values{"password": {newWords}}.Encode()
	host := strings.TrimPrefix(site.url, "http://")
	request := fmt.Sprintf("POST /choose-password HTTP/1.1\r\nHost: %s\r\nCookie: link=%s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s",
		host, token, len(body), body)
	but := len(request) - 1
	var conns []net.Conn
	for range racers {
		conn, err := net.Dial("tcp", strings.Replace(host, "localhost", "127.0.0.1", 1))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(time.Minute))
		if _, err := io.WriteString(conn, request[:but]); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	var mu sync.Mutex
	statuses := map[int]int{}
	var all sync.WaitGroup
	release := make(chan struct{})
	for _, conn := range conns {
		all.Go(func() {
			<-release
			if _, err := io.WriteString(conn, request[but:]); err != nil {
				t.Error(err)
				return
			}
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer response.Body.Close()
			mu.Lock()
			defer mu.Unlock()
			if statuses[response.StatusCode]++; response.StatusCode == http.StatusSeeOther && response.Header.Get("Location") != home {
				t.Errorf("the password leads to %s", response.Header.Get("Location"))
			}
		})
	}
	close(release)
	all.Wait()
	if statuses[http.StatusSeeOther] != 1 || statuses[http.StatusGone] != racers-1 {
		t.Errorf("of %d at once: %v", racers, statuses)
	}
}
