package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// patience is how long the tests wait for what should come at once.
const patience = 20 * time.Second

// built is the folder of the binary under test, once it is built.
var built string

// program is the binary under test: the one that ANTEROOM_PROGRAM names, or else built once.
var program = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("ANTEROOM_PROGRAM"); path != "" {
		return path, nil
	}
	folder, err := os.MkdirTemp("", "anteroom-story-")
	if err != nil {
		return "", err
	}
	built = folder
	path := filepath.Join(folder, "anteroom")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	if ahead, ok := os.LookupEnv(shiftedClock); ok {
		if err := serveShifted(ahead); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	os.RemoveAll(built)
	os.Exit(code)
}

// server is the program, running.
type server struct {
	t      testing.TB
	cmd    *exec.Cmd
	url    string
	said   *syncBuffer // what it printed
	log    *syncBuffer
	exited chan error
}

var servesAt = regexp.MustCompile(`https?://localhost:\d+`)

// start runs the program with these arguments on a free port, until the test ends.
func start(t testing.TB, env []string, args ...string) *server {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return launch(t, exec.Command(path, args...), env)
}

// launch runs a program that says where it serves.
func launch(t testing.TB, cmd *exec.Cmd, env []string) *server {
	t.Helper()
	s := &server{t: t, cmd: cmd, said: &syncBuffer{}, log: &syncBuffer{}, exited: make(chan error, 1)}
	s.cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "ANTEROOM_") }),
		append([]string{"ANTEROOM_ADDR=127.0.0.1:0", "TMPDIR=" + t.TempDir()}, env...)...)
	s.cmd.Stderr = s.log
	r, w, err := os.Pipe() // Wait would close a StdoutPipe before all of it was read
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stdout = w
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	go func() { s.exited <- s.cmd.Wait() }()
	t.Cleanup(func() {
		if s.cmd.ProcessState == nil {
			s.stop(syscall.SIGTERM)
		}
		if t.Failed() {
			t.Logf("the server's last words:\n%s", s.log.tail(40))
		}
	})
	ready := make(chan string, 1)
	go func() {
		defer r.Close()
		for lines := bufio.NewScanner(r); lines.Scan(); {
			fmt.Fprintln(s.said, lines.Text())
			if url := servesAt.FindString(lines.Text()); url != "" {
				select {
				case ready <- url:
				default: // said again
				}
			}
		}
	}()
	select {
	case s.url = <-ready:
	case err := <-s.exited:
		t.Fatalf("the program ended: %v\n%s", err, s.log.tail(40))
	case <-time.After(patience):
		s.stop(syscall.SIGKILL)
		t.Fatal("the program never said its address")
	}
	return s
}

// says waits until the program has printed what matches, and returns its groups.
func (s *server) says(pattern string) []string {
	s.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(15 * time.Millisecond) {
		if found := regexp.MustCompile(pattern).FindStringSubmatch(s.said.String()); found != nil {
			return found
		}
	}
	s.t.Fatalf("the program never said %s, only:\n%s", pattern, s.said)
	return nil
}

// stop ends the program by a signal and waits until it is gone.
func (s *server) stop(signal syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
	select {
	case err := <-s.exited:
		if signal == syscall.SIGTERM && err != nil {
			s.t.Errorf("asked to stop, the program ended with %v", err)
		}
	case <-time.After(patience):
		s.cmd.Process.Signal(syscall.SIGQUIT) // it says what it waits for
		<-s.exited
		s.t.Errorf("the program does not stop:\n%s", s.log.tail(400))
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (b *syncBuffer) tail(n int) string {
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// chromium starts the browser that ANTEROOM_BROWSER names. Without that variable the test is skipped; with it, a browser
// that doesn't start fails the test.
func chromium(t *testing.T) context.Context {
	t.Helper()
	path := os.Getenv("ANTEROOM_BROWSER")
	if path == "" {
		t.Skip("ANTEROOM_BROWSER names no browser: make check sets it")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, stop := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("closing the browser: %v", err)
		}
		stop()
		stopAllocator()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting %s: %v", path, err)
	}
	return ctx
}

// screen is what a person holds.
type screen struct {
	name          string
	width, height int64
	phone         bool
}

var (
	phone   = screen{"phone", 390, 844, true}
	desktop = screen{"desktop", 1280, 900, false}
)

// person is somebody at a screen, with cookies of their own. They find things as assistive technology does: by role and
// name. Whatever the browser complains of is a fault of the page.
type person struct {
	t      *testing.T
	name   string
	site   string
	screen screen
	script bool // JavaScript runs
	ctx    context.Context
	part   string   // what find looks in: a selector
	app    string   // the key in the person's authenticator app
	codes  []string // their recovery codes

	mu      sync.Mutex
	faults  []string
	expects []string // what the browser may complain of
	bytes   int64    // received since the person came
}

// comes opens a browser window for somebody.
func comes(t *testing.T, browser context.Context, site, name string, holds screen, options ...func(*person)) *person {
	t.Helper()
	p := &person{t: t, name: name, site: site, screen: holds, script: true, part: "html"}
	var cancel context.CancelFunc
	p.ctx, cancel = chromedp.NewContext(browser, chromedp.WithNewBrowserContext(), chromedp.WithListener(p.listen))
	t.Cleanup(cancel)
	p.must(chromedp.Do(p.ctx))
	p.must(call(p, network.Enable, network.EnableParams{}))
	p.dress(holds, "light")
	for _, option := range options {
		option(p)
	}
	t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, fault := range p.faults {
			t.Errorf("%s's browser: %s", name, fault)
		}
		if t.Failed() {
			p.keepLastLook()
		}
	})
	return p
}

// withoutScript turns JavaScript off in a person's browser.
func withoutScript(p *person) {
	p.script = false
	p.runsScript(false)
}

func (p *person) runsScript(on bool) {
	p.t.Helper()
	p.must(call(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on}))
}

func (p *person) listen(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fault := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		fault = e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			fault += " " + e.ExceptionDetails.Exception.Description
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			for _, arg := range e.Args {
				fault += " " + string(arg.Value) + arg.Description
			}
			fault = "console" + fault
		}
	case *log.EventEntryAdded: // violations of the content security policy are among them
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			fault = e.Entry.Text + " " + e.Entry.URL
		}
	case *page.EventJavascriptDialogOpening:
		fault = fmt.Sprintf("a dialog opened: %s %s", e.Type, e.Message)
		go call(p, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
	case *network.EventRequestWillBeSent:
		if u := e.Request.URL; strings.HasPrefix(u, "http") && !strings.HasPrefix(u, p.site+"/") {
			fault = "the page asks elsewhere: " + u
		}
	case *network.EventLoadingFinished:
		p.bytes += int64(e.EncodedDataLength)
	}
	if fault != "" && !slices.ContainsFunc(p.expects, func(s string) bool { return strings.Contains(fault, s) }) {
		p.faults = append(p.faults, fault)
	}
}

// expect lets the browser complain of one thing: it reports each refused form, for one.
func (p *person) expect(complaint string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expects = append(p.expects, complaint)
}

func (p *person) received() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bytes
}

func (p *person) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
}

// ask gives the browser a command, and some time to obey it.
func ask[P, R any](p *person, command cdp.Command[P, R], params P) (R, error) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Call(ctx, command, params)
}

func call[P, R any](p *person, command cdp.Command[P, R], params P) error {
	_, err := ask(p, command, params)
	return err
}

func perform[T any](p *person, action chromedp.Action[T]) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, action)
}

func act(p *person, steps ...chromedp.Action[chromedp.Void]) error {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Do(ctx, steps...)
}

// dress makes the page look as on a screen, in a colour scheme, with nothing moving.
func (p *person) dress(s screen, scheme string) {
	p.t.Helper()
	p.must(call(p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: s.width, Height: s.height, DeviceScaleFactor: 1, Mobile: s.phone}))
	p.must(call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}}))
}

// until waits until something holds, and fails the test when it never does. Errors count as "not yet": a page that is just
// being replaced answers with them.
func (p *person) until(what string, holds func() (bool, error)) {
	p.t.Helper()
	p.untilWithin(patience, what, holds)
}

func (p *person) untilWithin(limit time.Duration, what string, holds func() (bool, error)) {
	p.t.Helper()
	deadline := time.Now().Add(limit)
	for {
		ok, err := holds()
		if ok && err == nil {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%s waited in vain for %s (%v) at %s:\n%s", p.name, what, err, p.where(), p.text())
		}
		time.Sleep(15 * time.Millisecond)
	}
}

// opens types an address, of this site when it begins with a slash.
func (p *person) opens(address string) {
	p.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = p.site + address
	}
	p.must(act(p, chromedp.Navigate(address)))
}

// where is the page's path.
func (p *person) where() string {
	path, _ := perform(p, chromedp.Evaluate[string](`location.pathname`))
	return path
}

// at waits until the person is on a page whose path matches, and it is all there.
func (p *person) at(pattern string) {
	p.t.Helper()
	path := regexp.MustCompile("^" + pattern + "$")
	p.until("a page at "+pattern, func() (bool, error) {
		here, err := perform(p, chromedp.Evaluate[string](`document.readyState == 'complete' ? location.pathname : ''`))
		return path.MatchString(here), err
	})
}

// text is what the page says.
func (p *person) text() string {
	text, _ := perform(p, chromedp.Evaluate[string](`document.body.innerText`))
	return text
}

// sees waits until the page says something.
func (p *person) sees(text string) {
	p.t.Helper()
	p.until(fmt.Sprintf("%q", text), func() (bool, error) { return strings.Contains(p.text(), text), nil })
}

// seesNot checks that the page doesn't say something now.
func (p *person) seesNot(text string) {
	p.t.Helper()
	if strings.Contains(p.text(), text) {
		p.t.Errorf("%s sees %q at %s:\n%s", p.name, text, p.where(), p.text())
	}
}

// evaluate runs an expression in the page.
func evaluate[T any](p *person, expression string) T {
	p.t.Helper()
	v, err := perform(p, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	p.must(err)
	return v
}

// find returns all of a role and an accessible name.
func (p *person) find(role, name string) ([]cdp.BackendNodeID, error) {
	part, err := perform(p, chromedp.Evaluate[*runtime.RemoteObject](fmt.Sprintf(`document.querySelector(%q)`, p.part)))
	if err != nil {
		return nil, err
	}
	if part.ObjectID == "" {
		return nil, fmt.Errorf("no %s", p.part)
	}
	found, err := ask(p, accessibility.QueryAXTree, accessibility.QueryAXTreeParams{ObjectID: part.ObjectID, Role: role, AccessibleName: name})
	if err != nil {
		return nil, err
	}
	var ids []cdp.BackendNodeID
	for _, node := range found.Nodes {
		if !node.Ignored {
			ids = append(ids, node.BackendDOMNodeID)
		}
	}
	return ids, nil
}

// in looks for things in a part of the page only.
func (p *person) in(part string, then func()) {
	p.t.Helper()
	defer func(whole string) { p.part = whole }(p.part)
	p.part = part
	then()
}

// answers picks a choice of the question whose words these are part of.
func (p *person) answers(question, choice string) {
	p.t.Helper()
	p.until(fmt.Sprintf("the question %q", question), func() (bool, error) {
		return perform(p, chromedp.Evaluate[bool](fmt.Sprintf(`(words => {
			const found = [...document.querySelectorAll('fieldset')].filter(f => f.querySelector('legend').textContent.includes(words))
			return found.length == 1 && found[0].id != ''
		})(%q)`, question)))
	})
	id := evaluate[string](p, fmt.Sprintf(`[...document.querySelectorAll('fieldset')].find(f => f.querySelector('legend').textContent.includes(%q)).id`, question))
	p.in("#"+id, func() {
		for _, role := range []string{"radio", "checkbox"} {
			ids, err := p.find(role, choice)
			p.must(err)
			if len(ids) == 1 {
				p.clicksOn(ids[0])
				return
			}
		}
		p.t.Fatalf("%s: %q offers no %q", p.name, question, choice)
	})
}

// one waits for the one thing of that role and name.
func (p *person) one(role, name string) (id cdp.BackendNodeID) {
	p.t.Helper()
	p.until(fmt.Sprintf("the %s %q", role, name), func() (bool, error) {
		ids, err := p.find(role, name)
		if err != nil {
			return false, err
		}
		if len(ids) != 1 {
			return false, fmt.Errorf("there are %d", len(ids))
		}
		id = ids[0]
		return true, nil
	})
	return id
}

// clicks clicks the middle of what has that role and name, as a mouse or a finger would.
func (p *person) clicks(role, name string) {
	p.t.Helper()
	p.clicksOn(p.one(role, name))
}

func (p *person) clicksOn(id cdp.BackendNodeID) {
	p.t.Helper()
	x, y := p.middleOf(id)
	p.must(act(p, chromedp.MouseClickXY(x, y)))
}

// middleOf brings something into view, and tells where its middle is.
func (p *person) middleOf(id cdp.BackendNodeID) (x, y float64) {
	p.t.Helper()
	p.must(call(p, dom.ScrollIntoViewIfNeeded, dom.ScrollIntoViewIfNeededParams{BackendNodeID: id}))
	quads, err := ask(p, dom.GetContentQuads, dom.GetContentQuadsParams{BackendNodeID: id})
	p.must(err)
	if len(quads.Quads) == 0 {
		p.t.Fatalf("%s: nothing to click on", p.name)
	}
	q := quads.Quads[0]
	return (q[0] + q[4]) / 2, (q[1] + q[5]) / 2
}

// doubleClicks clicks twice, the second time while the answer to the first is on its way over a slow network.
func (p *person) doubleClicks(role, name string) {
	p.t.Helper()
	x, y := p.middleOf(p.one(role, name))
	p.isSlow(time.Second)
	p.must(act(p, chromedp.MouseClickXY(x, y), chromedp.Sleep(200*time.Millisecond), chromedp.MouseClickXY(x, y, chromedp.ClickCount(2))))
	p.isSlow(0)
}

// isSlow has every answer take so long to come.
func (p *person) isSlow(latency time.Duration) {
	p.t.Helper()
	p.must(call(p, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: []*network.Conditions{
		{Latency: float64(latency.Milliseconds()), DownloadThroughput: -1, UploadThroughput: -1}}}))
}

// fills replaces what a field says.
func (p *person) fills(label, text string) {
	p.t.Helper()
	p.fillsA("textbox", label, text)
}

func (p *person) fillsA(role, label, text string) {
	p.t.Helper()
	p.must(call(p, dom.Focus, dom.FocusParams{BackendNodeID: p.one(role, label)}))
	p.must(call(p, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeRawKeyDown, Commands: []string{"selectAll"}}))
	p.must(call(p, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyUp}))
	if text == "" {
		p.presses(kb.Delete)
		return
	}
	p.must(call(p, input.InsertText, input.InsertTextParams{Text: text}))
}

// value is what a field says.
func (p *person) value(role, label string) string {
	p.t.Helper()
	object, err := ask(p, dom.ResolveNode, dom.ResolveNodeParams{BackendNodeID: p.one(role, label)})
	p.must(err)
	got, err := ask(p, runtime.CallFunctionOn, runtime.CallFunctionOnParams{ObjectID: object.Object.ObjectID,
		FunctionDeclaration: `function() { return this.type == 'checkbox' || this.type == 'radio' ? String(this.checked) : this.value }`})
	p.must(err)
	var v string
	p.must(json.Unmarshal(got.Result.Value, &v))
	return v
}

// names are the accessible names of everything of a role in a part of the page.
func (p *person) names(role, part string) []string {
	p.t.Helper()
	var names []string
	for i := range evaluate[int](p, fmt.Sprintf(`document.querySelectorAll(%q).length`, part)) {
		object, err := perform(p, chromedp.Evaluate[*runtime.RemoteObject](fmt.Sprintf(`document.querySelectorAll(%q)[%d]`, part, i)))
		p.must(err)
		found, err := ask(p, accessibility.QueryAXTree, accessibility.QueryAXTreeParams{ObjectID: object.ObjectID, Role: role})
		p.must(err)
		for _, node := range found.Nodes {
			if node.Ignored || node.Name == nil {
				continue
			}
			var name string
			p.must(json.Unmarshal(node.Name.Value, &name))
			names = append(names, name)
		}
	}
	return names
}

// ticks makes a checkbox ticked, or not.
func (p *person) ticks(label string, ticked bool) {
	p.t.Helper()
	if p.value("checkbox", label) != fmt.Sprint(ticked) {
		p.clicks("checkbox", label)
	}
}

// uploads chooses a file in the page's field for one.
func (p *person) uploads(file string) {
	p.t.Helper()
	field, err := perform(p, chromedp.Evaluate[*runtime.RemoteObject](`document.querySelector('input[type=file]')`))
	p.must(err)
	p.must(call(p, dom.SetFileInputFiles, dom.SetFileInputFilesParams{Files: []string{file}, ObjectID: field.ObjectID}))
}

// presses presses keys one after another.
func (p *person) presses(keys string) {
	p.t.Helper()
	p.must(act(p, chromedp.KeyEvent(keys)))
}

// tabsTo presses Tab until the focus is on what has that name; the focus must be visible there.
func (p *person) tabsTo(name string) {
	p.t.Helper()
	var passed []string
	for range 150 {
		p.presses(kb.Tab)
		here := p.focused()
		if here == name {
			if !evaluate[bool](p, `(() => { const s = getComputedStyle(document.activeElement); return s.outlineStyle != 'none' || s.boxShadow != 'none' || document.activeElement.tagName == 'IFRAME' })()`) {
				p.t.Errorf("%s can't see that the focus is on %q", p.name, name)
			}
			return
		}
		passed = append(passed, here)
	}
	p.t.Fatalf("%s never gets to %q by Tab at %s, only to %q", p.name, name, p.where(), passed)
}

// focused is the accessible name of what has the focus.
func (p *person) focused() string {
	p.t.Helper()
	object, err := perform(p, chromedp.Evaluate[*runtime.RemoteObject](`document.activeElement`))
	p.must(err)
	tree, err := ask(p, accessibility.GetPartialAXTree, accessibility.GetPartialAXTreeParams{ObjectID: object.ObjectID, FetchRelatives: new(false)})
	p.must(err)
	var name string
	if len(tree.Nodes) > 0 && tree.Nodes[0].Name != nil {
		p.must(json.Unmarshal(tree.Nodes[0].Name.Value, &name))
	}
	return name
}

// seesFramed waits until a framed page, which lives apart from the rest, says something.
func (p *person) seesFramed(address, text string) {
	p.t.Helper()
	p.until(fmt.Sprintf("%q in a frame of %s", text, address), func() (bool, error) {
		targets, err := chromedp.Targets(p.ctx)
		if err != nil {
			return false, err
		}
		i := slices.IndexFunc(targets, func(info *target.Info) bool { return info.Type == "iframe" && strings.Contains(info.URL, address) })
		if i < 0 {
			return false, errors.New("no such frame")
		}
		ctx, cancel := chromedp.NewContext(p.ctx, chromedp.WithTargetID(targets[i].TargetID), chromedp.WithDetachOnCancel())
		defer cancel()
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
		says, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
		return strings.Contains(says, text), err
	})
}

//go:embed testdata/axe/axe.min.js
var axe string

// colourRules has axe run those of its rules that a colour scheme can break: in the dark nothing but colours is another.
const colourRules = `runOnly: ['color-contrast', 'link-in-text-block'], `

const runAxe = `axe.run(document, {%sresultTypes: ['violations'], iframes: false}).then(found => found.violations.flatMap(v =>
	v.nodes.map(n => v.id + ' (' + v.help + '): ' + n.html.slice(0, 200) + ' ' + (n.any[0] || n.all[0] || n.none[0] || {message: ''}).message)))`

// inspects checks the page as it stands, on both screens, light and dark: axe finds nothing, nothing sticks out sideways. With
// ANTEROOM_SCREENSHOTS it also keeps pictures of it, of those screens that are named.
func (p *person) inspects(screenName string) {
	p.t.Helper()
	if !p.script { // axe waits for itself; the page's own script was passed over already
		p.runsScript(true)
		defer p.runsScript(false)
	}
	evaluate[chromedp.Void](p, `scrollTo(0, 0)`)
	for _, s := range []screen{phone, desktop} {
		for _, scheme := range []string{"light", "dark"} {
			p.dress(s, scheme)
			if evaluate[string](p, `typeof axe`) == "undefined" {
				evaluate[chromedp.Void](p, axe)
			}
			rules := map[string]string{"dark": colourRules}[scheme]
			for _, violation := range evaluate[[]string](p, fmt.Sprintf(runAxe, rules)) {
				p.t.Errorf("%s at %s, %s, %s: %s", screenName, p.where(), s.name, scheme, violation)
			}
			p.picture(fmt.Sprintf("%s-%s-%s", screenName, s.name, scheme))
		}
		p.fits(screenName, s)
	}
	p.dress(p.screen, "light")
}

// fits checks that nothing of the page sticks out sideways of the screen that it is shown on.
func (p *person) fits(screenName string, on screen) {
	p.t.Helper()
	if wide := evaluate[int64](p, `document.documentElement.scrollWidth`); wide > on.width {
		p.t.Errorf("%s at %s, %s: %d pixels wide", screenName, p.where(), on.name, wide)
	}
}

// pictured are the pictures that the documentation shows, by what they are called there.
var pictured = map[string]string{
	"manage-clients-selected-desktop-light": "manage-clients",
	"preview-desktop-light":                 "preview",
	"form-phone-light":                      "portal",
}

func (p *person) picture(screen string) {
	folder, name := os.Getenv("ANTEROOM_SCREENSHOTS"), pictured[screen]
	if folder == "" || name == "" || !p.script {
		return
	}
	p.must(os.MkdirAll(folder, 0o755))
	png, err := perform(p, chromedp.CaptureScreenshot())
	p.must(err)
	p.must(os.WriteFile(filepath.Join(folder, name+".png"), png, 0o644))
}

// keepLastLook saves what the person saw last, after a failure.
func (p *person) keepLastLook() {
	png, err := perform(p, chromedp.CaptureScreenshot())
	if err != nil {
		return
	}
	if os.MkdirAll(".cache", 0o755) == nil {
		path := filepath.Join(".cache", "last-look-of-"+p.name+".png")
		if os.WriteFile(path, png, 0o644) == nil {
			p.t.Logf("what %s saw last is in %s", p.name, path)
		}
	}
}
