package handlers

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"anteroom/db"
	"anteroom/practice"
	"anteroom/practice/cast"

	"github.com/PuerkitoBio/goquery"
)

// upload sends a file, as the form of a page does.
func (b *browser) upload(path, name, data string) answer {
	b.t.Helper()
	return b.uploadAs(path, "file", name, data)
}

func (b *browser) uploadAs(path, field, name, data string) answer {
	b.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	part, err := w.CreateFormFile(field, name)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := io.WriteString(part, data); err != nil {
		b.t.Fatal(err)
	}
	w.Close()
	r := httptest.NewRequest("POST", path, &body)
	r.Host = cast.Public.Host
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Content-Type", w.FormDataContentType())
	r.AddCookie(&http.Cookie{Name: sessionCookie, Value: b.cookies[sessionCookie]})
	response, err := b.app.Test(r, -1)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	doc, err := goquery.NewDocumentFromReader(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{b.t, response.StatusCode, response.Header, doc.Text(), doc}
}

func TestImportPages(t *testing.T) {
	s := newSite(t)
	olga := s.as("Olga")
	olga.get(importPath).want(200, "Import clients")
	s.as("Tom").get(importPath).want(403)
	s.as("Tom").upload(importPath, "x.csv", "First Name,Last Name\nZed,Zee\n").want(403)
	olga.upload(importPath, "x.csv", "").wantError("file", "Choose a file")
	olga.upload(importPath, "x.xlsx", "PK\x03\x04").wantError("file", "spreadsheet")
	olga.upload(importPath, "x.csv", "First Name,Last Name\n"+strings.Repeat("x", practice.MaxImport)).wantError("file", "larger than 100 MB")

	file := "First Name,Last Name,Born,Mail\nZed,Zee,3/4/1990,zed@mail.example\nAl,Abbott,5/6/1990,ann@mail.example\n"
	a := olga.upload(importPath, "my clients.csv", file)
	page := olga.follow(a).want(200, "my clients.csv", "2 clients will be added", "No email address", "can be read either way")
	path := a.header.Get("Location")
	if n := page.doc.Find("tbody select").Length(); n != 4 {
		t.Fatalf("%d columns", n)
	}
	// The column that wasn't guessed is named by hand; the choice stays in the address.
	query := url.Values{"column": {"first_name", "last_name", "date_of_birth", "email"}, "dates": {"day"}}
	page = olga.get(path+"?"+query.Encode()).want(200, "1 client will be added", "1 row has a problem", "Abbott, Ann has this address already", "keep the others as a file")
	if got := page.doc.Find(`form[method=post] input[name=column]`).Map(func(_ int, i *goquery.Selection) string { return i.AttrOr("value", "") }); strings.Join(got, " ") != "first_name last_name date_of_birth email" {
		t.Errorf("the form forgets the columns: %q", got)
	}
	if text := page.text("main table:last-of-type tbody th"); strings.Contains(text, "Zee") {
		t.Errorf("rows with a problem come first: %q", text)
	}
	olga.get(path+"?show=add&"+query.Encode()).want(200, "Zee, Zed", "Added (1)")
	choose := []string{"dates", "day", "column", "first_name", "column", "last_name", "column", "date_of_birth", "column", "email"}
	olga.post(path, append(choose, "do", "all")...).want(422, "nothing was imported")
	s.as("Tom").post(path, append(choose, "do", "good")...).want(403)
	olga.get("/clients?q=zed").want(200, "0 clients found")
	olga.follow(olga.post(path, append(choose, "do", "good")...).wantTo("/clients")).want(200, "1 client was imported.")
	olga.get("/clients?q=zed").want(200, "Zee, Zed")
	olga.get(path).want(404)

	a = olga.upload(importPath, "y.csv", file)
	olga.follow(olga.post(a.header.Get("Location"), "do", "discard").wantTo(importPath)).want(200, "nothing was imported")
	olga.get(a.header.Get("Location")).want(404)
}

// broughtList has Olga bring a list to import, and returns its id.
func (s *testSite) broughtList() string {
	s.t.Helper()
	id, err := s.Practice.KeepImport(s.t.Context(), s.Olga, "list.csv", []byte("First Name,Last Name\nZed,Zee\n"))
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

func TestImportProgress(t *testing.T) {
	s := newSite(t)
	olga, id := s.as("Olga"), s.broughtList()
	path := importPath + "/" + id
	olga.get(path+"/progress").want(200, "The import was interrupted", "nothing was imported")
	olga.get(importPath + "/nobodys/progress").want(404)

	// While another writes, the import waits: its progress is shown instead of its end.
	moved := make(chan answer)
	if err := s.DB.Update(t.Context(), func(*db.Tx) error {
		go func() { moved <- olga.post(path, "do", "good") }()
		a := <-moved
		a.wantTo(path + "/progress")
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	job, err := s.Practice.ImportJob(t.Context(), s.Olga, id)
	if err != nil {
		t.Fatal(err)
	}
	<-job.Done()
	part := olga.htmx().get(path+"/progress?poll=1").want(200, "Done", "imported")
	if part.doc.Find("h1, [hx-get]").Length() != 0 {
		t.Error("the end asks on")
	}
}
