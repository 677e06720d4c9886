package main

import (
	"cmp"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Monday morning: a list from another system with three bad rows, which are mended and brought again; everybody who is new
// gets a therapist, and twenty of them, found by four searches, are invited.
func TestStoryMonday(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	site := start(t, nil, "demo")
	olga := comes(t, browser, site.url, "Olga", desktop)
	olga.signsInAs("[Aa]dministrator", site)

	const header = "First Name,Last Name,Email,Date of Birth,Tags\n"
	families := []string{"Aldermoor", "Birchfield", "Cloverly", "Dunmere"}
	var list strings.Builder
	list.WriteString(header)
	for _, family := range families {
		for n, first := range []string{"Ada", "Bo", "Cy", "Di", "Ed", "Flo"} {
			fmt.Fprintf(&list, "%s,%s,%s.%s@mail.example,19%d2-03-04,Evening\n", first, family, strings.ToLower(first), strings.ToLower(family), 6+n%4)
		}
	}
	bad := "Ivy,Aldermoor,ivy.aldermoor.mail.example,1990-01-02,\nJo,Birchfield,jo.birchfield@mail.example,31/31/1990,\nKai,,kai@mail.example,1991-02-03,\n"
	olga.imports(list.String() + bad)
	olga.sees("24 clients will be added.")
	olga.sees("3 rows have a problem")
	olga.sees("“ivy.aldermoor.mail.example” is not an email address.")
	olga.sees("No last name.")
	olga.inspects("import-problems")
	olga.clicks("button", "Import the good rows only")
	olga.sees("24 clients were imported.")

	// The three rows, mended; and the others once more, which makes no twins.
	mended := strings.NewReplacer("ivy.aldermoor.mail", "ivy.aldermoor@mail", "31/31/1990", "1990-12-31", "Kai,,", "Kai,Cloverly,").Replace(bad)
	olga.imports(list.String() + mended)
	olga.sees("3 clients will be added.")
	olga.sees("24 rows are already here")
	olga.clicks("button", "Import 3 clients")
	olga.sees("3 clients were imported.")

	// Everybody who has no therapist is given to Tom.
	olga.opens("/clients?staff=nobody&q=mail.example&tag=evening")
	olga.sees("24 clients found")
	olga.inspects("clients-filtered")
	olga.clicks("checkbox", "Tick all on this page")
	olga.chooses("Staff member", "Tom Tran")
	olga.clicks("button", "Assign")
	olga.sees("Assigned 24 clients.")
	olga.sees("0 clients found")

	// Twenty are ticked across four searches, and keep their ticks.
	olga.opens("/organization/client-portal/clients")
	for i, family := range families {
		found := map[string]string{"Dunmere": "6 clients"}[family]
		olga.searches(strings.ToLower(family), cmp.Or(found, "7 clients"))
		for _, first := range []string{"Ada", "Bo", "Cy", "Di", "Ed"} {
			olga.clicks("checkbox", family+", "+first)
		}
		olga.sees(fmt.Sprint(5*(i+1), " clients selected"))
	}
	olga.clicks("button", "Invite to Client Portal")
	olga.at("/drafts/[^/]+")
	olga.sees("20 clients are invited.")
	olga.clicks("button", "Preview Invitation")
	olga.sees("What Ada Aldermoor will receive")
	olga.in("#preview", func() { olga.clicks("button", "Invite to Client Portal") })
	olga.at("/drafts/[^/]+/sent")
	olga.sees("20 letters were accepted by the mail server.")

	// What became of each stands in one list, narrowed down while one looks.
	olga.opens("/organization/client-portal/invitations")
	olga.inspects("invitations")
	olga.searches("aldermoor", "5 sendings found")
	olga.sees("5 clients were invited: 0 joined")
	olga.clicks("link", "Invited 5")
	olga.until("the state to be asked for", func() (bool, error) {
		return perform(olga, chromedp.Evaluate[bool](`document.querySelector('#state-invited[aria-current]') != null`))
	})
	olga.searches("di aldermoor", "1 sending found")
	if query := evaluate[string](olga, `location.search`); !strings.Contains(query, "state=Invited") {
		t.Errorf("the search forgot the state: %s", query)
	}

	olga.opens("/clients?state=Invited&q=mail.example&tag=evening")
	olga.sees("20 clients found")
	olga.opens("/clients?state=Not+invited&q=flo")
	olga.sees("4 clients found")

	// One of them turns out to be a double entry: archived, and back again.
	olga.clicks("checkbox", "Birchfield, Flo")
	olga.clicks("button", "Archive")
	olga.sees("Archive 1 client?")
	olga.inspects("clients-archive")
	olga.clicks("button", "Archive")
	olga.sees("The client is archived.")
	olga.opens("/clients?show=archived&tag=evening")
	olga.clicks("link", "Birchfield, Flo")
	olga.inspects("client-archived")
	olga.clicks("button", "Restore")
	olga.sees("The client is restored.")
}

// chooses picks an entry of a select.
func (p *person) chooses(label, entry string) {
	p.t.Helper()
	p.until(entry+" in "+label, func() (bool, error) {
		return perform(p, chromedp.Evaluate[bool](fmt.Sprintf(`(() => {
			const select = [...document.querySelectorAll('select')].find(s => [...s.labels].some(l => l.textContent.trim().startsWith(%q)))
			const option = select && [...select.options].find(o => o.textContent.trim() === %q)
			if (!option) return false
			select.value = option.value
			select.dispatchEvent(new Event('change', { bubbles: true }))
			return true
		})()`, label, entry)))
	})
}

// An import that a kill ends in the middle has done nothing, and says so.
func TestStoryImportKilled(t *testing.T) {
	t.Parallel()
	const clients = 60_000
	browser := chromium(t)
	env := []string{"ANTEROOM_DATA=" + t.TempDir()}
	site := start(t, env, "serve")
	env = append(env, "ANTEROOM_ADDR="+strings.TrimPrefix(strings.Replace(site.url, "localhost", "127.0.0.1", 1), "http://"))
	olga := comes(t, browser, site.url, "Olga", desktop)
	olga.setsUp(site.says(`with the code (\S+)`)[1])
	var list strings.Builder
	list.WriteString("First Name,Last Name,Email\n")
	for i := range clients {
		fmt.Fprintf(&list, "Client,Number%05d,client%05d@mail.example\n", i, i)
	}
	olga.imports(list.String())
	olga.clicks("button", "Import 60,000 clients")
	olga.at("/organization/import/[^/]+/progress")
	progress := olga.where()
	olga.until("rows to be written", func() (bool, error) {
		return perform(olga, chromedp.Evaluate[bool](`(document.querySelector('progress')?.value || 0) > 30000`)) // half of it is judging
	})
	olga.opens("about:blank") // a page that polls would complain of the outage
	site.stop(syscall.SIGKILL)

	start(t, env, "serve")
	olga.opens(progress)
	olga.sees("The import was interrupted")
	olga.sees("nothing was imported")
	olga.inspects("import-interrupted")
	olga.opens("/clients")
	olga.sees("No clients yet")
	olga.opens(progress)
	olga.clicks("link", "Look at the rows again")
	olga.clicks("button", "Import 60,000 clients")
	olga.untilWithin(time.Minute, "the import's end", func() (bool, error) { return strings.Contains(olga.text(), "60,000 clients were imported"), nil })
	olga.inspects("import-done")
	olga.clicks("link", "See the clients")
	olga.sees("60,000 clients")
}
