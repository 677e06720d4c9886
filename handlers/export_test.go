package handlers

import (
	"strings"
	"testing"
)

func TestExport(t *testing.T) {
	s := newSite(t)
	olga := s.as("Olga")
	olga.get(exportPath).want(200, "5 clients", "Nobody has completed a form yet.")
	s.library()
	s.completed(s.Mia)
	page := olga.get(exportPath).want(200, "1 form sent", "Export completed forms")
	key := page.doc.Find("#form_key option").AttrOr("value", "")

	for _, e := range []struct {
		form []string
		name string
		want string
	}{
		{[]string{"what", "clients"}, "clients-2026-11-02.csv", "Ann,Abbott"},
		{[]string{"what", "portal"}, "portal-2026-11-02.csv", "Mia,Moreno,mia@mail.example,Active"},
		{[]string{"what", "forms", "form_key", key}, key + "-2026-11-02.csv", "Mia,Moreno"},
	} {
		a := olga.post(exportPath, e.form...)
		if a.status != 200 || a.header.Get("Content-Type") != "text/csv; charset=utf-8" || a.header.Get("Content-Disposition") != `attachment; filename="`+e.name+`"` ||
			a.header.Get("Cache-Control") != "no-store" || !strings.Contains(a.body, e.want) {
			t.Errorf("%v: %d %v %.200s", e.form, a.status, a.header, a.body)
		}
	}
	olga.get("/clients/"+s.Mia.PublicID).want(200, "Olga Olson downloaded the completed form")
	olga.post(exportPath, "what", "forms", "form_key", "no such\r\nform").want(404)
	olga.post(exportPath, "what", "everything").want(400)
	s.as("Tom").post(exportPath, "what", "clients").want(403)
}
