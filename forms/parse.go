package forms

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"unicode/utf8"
)

// What a definition may hold, and an answer where the definition sets no limit.
const (
	maxDefinition = 1 << 20
	maxItems      = 1000
	maxOptions    = 200
	maxDepth      = 6
	maxWords      = 20_000 // characters in any text of a definition
	maxLine       = 500    // characters in a string, or one's own words in an open choice
	maxName       = 200    // characters in a signature
	maxText       = 10_000
	maxInteger    = 1<<31 - 1 // FHIR's integer has 32 bits
	minDate       = "1900-01-01"
	maxDate       = "2100-12-31"
)

var (
	linkIDs = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)
	keys    = regexp.MustCompile(`^[A-Za-z0-9.-]{1,64}$`)
	tokens  = regexp.MustCompile(`^[a-z0-9-]+( [a-z0-9-]+)*$`)
)

// Parse reads a FHIR R4 Questionnaire and refuses whatever it would not do justice to,
// naming the item:
//
//   - id (the Key), version, title, status and item are required; so is text on every item;
//   - types display, group, string, text, date, integer, boolean, choice (repeats: true for
//     several), open-choice; a signature is a string with the questionnaire-signatureRequired
//     extension and our consent-line; a box to check is a boolean with itemControl check-box;
//   - a display item with itemControl help, inside a question or group, is its help text;
//   - linkIds are unique and usable as input names; codes and linkIds hold no colon;
//   - enableWhen asks about an earlier question, in the type of its answer;
//   - minValue, maxValue and maxLength bound an answer; ordinalValue scores an option, for
//     all options of a question or none; our safety-concern marks an option.
//
// In texts a blank line starts a paragraph and lines that begin "- " are a list.
func Parse(data []byte) (*Form, error) {
	if len(data) > maxDefinition {
		return nil, fmt.Errorf("the definition is larger than %d bytes", maxDefinition)
	}
	var raw rawForm
	if err := strict(data, &raw); err != nil {
		return nil, fmt.Errorf("questionnaire: %w", err)
	}
	f := &Form{
		Key: raw.ID, Version: raw.Version, URL: raw.URL, Title: raw.Title,
		Description: raw.Description, Credit: raw.Copyright,
		JSON: bytes.Clone(data), index: map[string]*Item{},
	}
	if err := f.header(raw); err != nil {
		return nil, fmt.Errorf("questionnaire: %w", err)
	}
	for _, r := range raw.Item {
		it, err := f.item(r, nil, 1)
		if err != nil {
			return nil, err
		}
		f.Items = append(f.Items, it)
	}
	if !slices.ContainsFunc(f.all, (*Item).Asks) {
		return nil, errors.New("questionnaire: it asks nothing")
	}
	if len(f.Bands) > 0 && !slices.ContainsFunc(f.all, (*Item).scored) {
		return nil, errors.New("questionnaire: it has score bands, but no option has an ordinalValue")
	}
	return f, nil
}

func (f *Form) header(raw rawForm) error {
	switch {
	case raw.ResourceType != "Questionnaire":
		return fmt.Errorf("resourceType is %q, not Questionnaire", raw.ResourceType)
	case !keys.MatchString(f.Key):
		return fmt.Errorf("id %q is not a FHIR id", f.Key)
	case blank(f.Version):
		return errors.New("it has no version")
	case blank(f.Title):
		return errors.New("it has no title")
	case !slices.Contains([]string{"draft", "active", "retired", "unknown"}, raw.Status):
		return fmt.Errorf("status %q is unknown", raw.Status)
	}
	for _, words := range []string{f.Version, f.URL, f.Title, f.Description, f.Credit} {
		if utf8.RuneCountInString(words) > maxWords {
			return errors.New("a text is too long")
		}
	}
	seen := map[string]bool{}
	for _, x := range raw.Extension {
		switch {
		case x.URL == extMinutes && !seen[x.URL]:
			if x.ValueInteger == nil || *x.ValueInteger < 1 || *x.ValueInteger > 600 {
				return errors.New("minutes must be from 1 to 600")
			}
			f.Minutes = *x.ValueInteger
		case x.URL == extScoreBand:
			if err := f.band(x); err != nil {
				return err
			}
		default:
			return unknownExtension(x, seen)
		}
		seen[x.URL] = true
	}
	return nil
}

func (f *Form) band(x extension) error {
	var band Band
	var from *int
	for _, part := range x.Extension {
		switch part.URL {
		case "from":
			from = part.ValueInteger
		case "label":
			band.Label = part.ValueString
		default:
			return fmt.Errorf("score-band has an unknown part %q", part.URL)
		}
	}
	if from == nil || blank(band.Label) {
		return errors.New("a score-band needs from and label")
	}
	band.From = *from
	if n := len(f.Bands); n == 0 && band.From != 0 || n > 0 && band.From <= f.Bands[n-1].From {
		return errors.New("score-bands must start at 0 and rise")
	}
	f.Bands = append(f.Bands, band)
	return nil
}

// item reads one item and all below it, and adds them to the form in page order.
func (f *Form) item(data json.RawMessage, parent *Item, depth int) (*Item, error) {
	var raw rawItem
	decoded := strict(data, &raw)
	if !linkIDs.MatchString(raw.LinkID) {
		// An item that can't be read may still say its name.
		_ = json.Unmarshal(data, &struct {
			LinkID *string `json:"linkId"`
		}{&raw.LinkID})
	}
	fail := func(format string, a ...any) (*Item, error) {
		return nil, fmt.Errorf("item %q: "+format, append([]any{raw.LinkID}, a...)...)
	}
	switch {
	case decoded != nil:
		return fail("%w", decoded)
	case !linkIDs.MatchString(raw.LinkID):
		return fail("a linkId is 1 to 100 letters, digits, dots, underscores and hyphens")
	case f.taken(raw.LinkID):
		return fail("the linkId is used twice")
	case len(f.all) >= maxItems:
		return fail("a form has at most %d items", maxItems)
	case depth > maxDepth:
		return fail("groups are nested more than %d deep", maxDepth)
	case blank(raw.Text):
		return fail("it has no text")
	case max(utf8.RuneCountInString(raw.Text), utf8.RuneCountInString(raw.Prefix)) > maxWords:
		return fail("its text is too long")
	}
	it := &Item{LinkID: raw.LinkID, Prefix: raw.Prefix, Text: raw.Text, Required: raw.Required, parent: parent}
	for _, step := range []func(rawItem) error{it.readKind, it.readOptions, it.readLimits} {
		if err := step(raw); err != nil {
			return fail("%w", err)
		}
	}
	if err := f.readConditions(it, raw); err != nil {
		return fail("%w", err)
	}
	f.all = append(f.all, it)
	f.index[it.LinkID] = it
	for _, r := range raw.Item {
		if help := asHelp(r); help != nil {
			if err := f.setHelp(it, *help); err != nil {
				return fail("help %q: %w", help.LinkID, err)
			}
			continue
		}
		if it.Kind != Group {
			return fail("only a group has items under it; a question may have one help text")
		}
		child, err := f.item(r, it, depth+1)
		if err != nil {
			return nil, err
		}
		it.Items = append(it.Items, child)
	}
	if it.Kind == Group && len(it.Items) == 0 {
		return fail("the group is empty")
	}
	return it, nil
}

func (it *Item) readKind(raw rawItem) error {
	it.Kind = Kind(raw.Type)
	switch it.Kind {
	case Display, Group:
		if raw.Required {
			return fmt.Errorf("a %s can't be required", raw.Type)
		}
	case String, Text, Date, Integer, Boolean, Choice, OpenChoice:
	default:
		return fmt.Errorf("type %q is not supported", raw.Type)
	}
	if raw.Repeats {
		if it.Kind != Choice {
			return fmt.Errorf("a %s can't repeat", raw.Type)
		}
		it.Kind = Multiple
	}
	seen := map[string]bool{}
	for _, x := range raw.Extension {
		switch {
		case seen[x.URL]:
			return unknownExtension(x, seen)
		case x.URL == extItemControl && x.control() == "check-box" && it.Kind == Boolean:
			it.Kind = Tick
		case x.URL == extSignature && it.Kind == String:
			it.Kind = Signature
		case x.URL == extConsentLine && raw.Type == string(String) && !blank(x.ValueString):
			it.Consent = x.ValueString
		case x.URL == extAutocomplete && (it.Kind == String || it.Kind == Text) && tokens.MatchString(x.ValueString):
			it.Autocomplete = x.ValueString
		case x.URL == extMinValue && (it.Kind == Date || it.Kind == Integer):
			it.Min = x.bound(it.Kind)
		case x.URL == extMaxValue && (it.Kind == Date || it.Kind == Integer):
			it.Max = x.bound(it.Kind)
		default:
			return unknownExtension(x, seen)
		}
		seen[x.URL] = true
	}
	if (it.Kind == Signature) != (it.Consent != "") {
		return errors.New("a signature needs both the signatureRequired and the consent-line extension")
	}
	if seen[extMinValue] && it.Min == "" || seen[extMaxValue] && it.Max == "" {
		return fmt.Errorf("minValue and maxValue must hold a value of type %s", raw.Type)
	}
	return nil
}

func (it *Item) readOptions(raw rawItem) error {
	switch it.Kind {
	case Boolean:
		it.Options = []Option{{Code: "true", Label: "Yes"}, {Code: "false", Label: "No"}}
	case Tick:
		it.Options = []Option{{Code: "true", Label: "Yes"}}
	case Choice, Multiple, OpenChoice:
		if n := len(raw.AnswerOption); n == 0 || n > maxOptions {
			return fmt.Errorf("a choice has 1 to %d options", maxOptions)
		}
		for _, r := range raw.AnswerOption {
			o, err := r.option()
			if err != nil {
				return err
			}
			if _, twice := it.option(o.Code); twice {
				return fmt.Errorf("option %q is there twice", o.Code)
			}
			it.Options = append(it.Options, o)
			if o.Scored != it.Options[0].Scored {
				return fmt.Errorf("option %q: either all options have an ordinalValue or none", o.Code)
			}
		}
		return nil
	}
	if len(raw.AnswerOption) > 0 {
		return fmt.Errorf("a %s has no options", raw.Type)
	}
	return nil
}

func (r rawOption) option() (Option, error) {
	if r.ValueCoding == nil {
		return Option{}, errors.New("an option needs a valueCoding")
	}
	o := Option{System: r.ValueCoding.System, Code: r.ValueCoding.Code, Label: r.ValueCoding.Display}
	switch {
	case !linkIDs.MatchString(o.Code):
		return o, fmt.Errorf("option %q: a code is 1 to 100 letters, digits, dots, underscores and hyphens", o.Code)
	case blank(o.Label) || utf8.RuneCountInString(o.Label) > maxLine:
		return o, fmt.Errorf("option %q needs a display of at most %d characters", o.Code, maxLine)
	}
	seen := map[string]bool{}
	for _, x := range r.Extension {
		switch {
		case x.URL == extOrdinal && !seen[x.URL]:
			n, err := strconv.Atoi(x.ValueDecimal.String())
			if err != nil || n < 0 || n > 1000 {
				return o, fmt.Errorf("option %q: ordinalValue must be a whole number from 0 to 1000", o.Code)
			}
			o.Scored, o.Ordinal = true, n
		case x.URL == extConcern && !seen[x.URL]:
			o.Concern = x.ValueBoolean
		default:
			return o, fmt.Errorf("option %q: %w", o.Code, unknownExtension(x, seen))
		}
		seen[x.URL] = true
	}
	return o, nil
}

func (it *Item) readLimits(raw rawItem) error {
	switch it.Kind {
	case String, OpenChoice:
		it.MaxLength = maxLine
	case Text:
		it.MaxLength = maxText
	case Signature:
		it.MaxLength = maxName
	case Date:
		it.Min, it.Max = or(it.Min, minDate), or(it.Max, maxDate)
		if it.Min > it.Max {
			return errors.New("minValue is after maxValue")
		}
	case Integer:
		it.Min, it.Max = or(it.Min, strconv.Itoa(-maxInteger)), or(it.Max, strconv.Itoa(maxInteger))
		if number(it.Min) > number(it.Max) {
			return errors.New("minValue is above maxValue")
		}
	}
	if raw.MaxLength != nil {
		if it.Kind != String && it.Kind != Text {
			return fmt.Errorf("a %s has no maxLength", it.Kind)
		}
		if *raw.MaxLength < 1 || *raw.MaxLength > maxText {
			return fmt.Errorf("maxLength must be from 1 to %d", maxText)
		}
		it.MaxLength = *raw.MaxLength
	}
	return nil
}

// readConditions runs before the item joins the index, so a condition can only look back.
func (f *Form) readConditions(it *Item, raw rawItem) error {
	switch raw.EnableBehavior {
	case "any":
		it.WhenAny = true
	case "all":
	case "":
		if len(raw.EnableWhen) > 1 {
			return errors.New("several enableWhen need an enableBehavior")
		}
	default:
		return fmt.Errorf("enableBehavior %q is unknown", raw.EnableBehavior)
	}
	if len(raw.EnableWhen) > 50 {
		return errors.New("it has more than 50 enableWhen")
	}
	for _, r := range raw.EnableWhen {
		question := f.index[r.Question]
		if question == nil {
			return fmt.Errorf("enableWhen asks about %q, which is no earlier item", r.Question)
		}
		answer, err := r.answer(question)
		if err != nil {
			return fmt.Errorf("enableWhen on %q: %w", r.Question, err)
		}
		it.When = append(it.When, Condition{r.Question, r.Operator, answer})
	}
	return nil
}

// answer checks that the condition suits the question, and writes its answer as in Answers.
func (r rawCondition) answer(question *Item) (string, error) {
	given := 0
	for _, there := range []bool{r.AnswerBoolean != nil, r.AnswerInteger != nil, r.AnswerDate != nil,
		r.AnswerString != nil, r.AnswerCoding != nil} {
		if there {
			given++
		}
	}
	wrong := fmt.Errorf("the answer doesn't suit a %s", question.Kind)
	switch {
	case !question.Asks() || question.Kind == Signature:
		return "", fmt.Errorf("a %s can't be asked about", question.Kind)
	case given != 1:
		return "", errors.New("it needs exactly one answer")
	case r.Operator == "exists":
		if r.AnswerBoolean == nil {
			return "", errors.New("exists needs an answerBoolean")
		}
		return strconv.FormatBool(*r.AnswerBoolean), nil
	case slices.Contains([]string{">", "<", ">=", "<="}, r.Operator):
		if question.Kind != Date && question.Kind != Integer {
			return "", fmt.Errorf("a %s has no order for %q", question.Kind, r.Operator)
		}
	case r.Operator != "=" && r.Operator != "!=":
		return "", fmt.Errorf("operator %q is unknown", r.Operator)
	}
	switch question.Kind {
	case Boolean, Tick:
		if r.AnswerBoolean != nil {
			return strconv.FormatBool(*r.AnswerBoolean), nil
		}
	case Integer:
		if r.AnswerInteger != nil {
			return strconv.Itoa(*r.AnswerInteger), nil
		}
	case Date:
		if r.AnswerDate != nil && isDate(*r.AnswerDate) {
			return *r.AnswerDate, nil
		}
	case String, Text:
		if r.AnswerString != nil && !blank(*r.AnswerString) {
			return *r.AnswerString, nil
		}
	case Choice, Multiple, OpenChoice:
		if r.AnswerCoding != nil {
			if _, ok := question.option(r.AnswerCoding.Code); !ok {
				return "", fmt.Errorf("%q is none of its options", r.AnswerCoding.Code)
			}
			return r.AnswerCoding.Code, nil
		}
	}
	return "", wrong
}

// asHelp returns the item if it is the help text of the one it stands in. One that can't
// be read is not: that is said better where items are read.
func asHelp(data json.RawMessage) *rawItem {
	var raw rawItem
	if strict(data, &raw) != nil || len(raw.Extension) != 1 ||
		raw.Extension[0].URL != extItemControl || raw.Extension[0].control() != "help" {
		return nil
	}
	return &raw
}

func (f *Form) setHelp(it *Item, help rawItem) error {
	switch {
	case help.Type != string(Display) || len(help.Item)+len(help.EnableWhen) > 0:
		return errors.New("it must be a display item with no conditions and nothing under it")
	case it.Kind == Display:
		return errors.New("a display item has no help")
	case it.Help != "":
		return errors.New("there is one already")
	case blank(help.Text) || utf8.RuneCountInString(help.Text) > maxWords:
		return fmt.Errorf("its text must have 1 to %d characters", maxWords)
	case !linkIDs.MatchString(help.LinkID) || f.taken(help.LinkID):
		return errors.New("its linkId is used twice or can't be used")
	}
	it.Help = help.Text
	f.index[help.LinkID] = nil // taken, but no item of its own
	return nil
}

func (f *Form) taken(linkID string) bool {
	_, taken := f.index[linkID]
	return taken
}

func or(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}
