package forms

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

const extResponseSignature = "http://hl7.org/fhir/StructureDefinition/questionnaireresponse-signature"

// A Reference is a FHIR Reference: to the client, say.
type Reference struct {
	Reference string `json:"reference,omitempty"` // e.g. "Patient/6f1c…"
	Display   string `json:"display,omitempty"`
}

type (
	response struct {
		ResourceType  string         `json:"resourceType"`
		Questionnaire string         `json:"questionnaire,omitempty"`
		Status        string         `json:"status"`
		Subject       *Reference     `json:"subject,omitempty"`
		Authored      string         `json:"authored"`
		Source        *Reference     `json:"source,omitempty"`
		Item          []responseItem `json:"item,omitempty"`
	}
	responseItem struct {
		Extension []signature      `json:"extension,omitempty"`
		LinkID    string           `json:"linkId"`
		Text      string           `json:"text,omitempty"`
		Answer    []responseAnswer `json:"answer,omitempty"`
		Item      []responseItem   `json:"item,omitempty"`
	}
	responseAnswer struct {
		ValueBoolean *bool   `json:"valueBoolean,omitempty"`
		ValueInteger *int    `json:"valueInteger,omitempty"`
		ValueDate    string  `json:"valueDate,omitempty"`
		ValueString  string  `json:"valueString,omitempty"`
		ValueCoding  *coding `json:"valueCoding,omitempty"`
	}
	signature struct {
		URL            string         `json:"url"`
		ValueSignature valueSignature `json:"valueSignature"`
	}
	valueSignature struct {
		Type []coding  `json:"type"`
		When string    `json:"when"`
		Who  Reference `json:"who"`
	}
)

// Response writes completed answers as a FHIR R4 QuestionnaireResponse about, and by,
// the subject. Items that were not asked, not answered, or answered with what Check
// refuses are left out.
func (f *Form) Response(a Answers, authored time.Time, subject Reference) []byte {
	r := response{
		ResourceType: "QuestionnaireResponse", Status: "completed",
		Authored: authored.Format(time.RFC3339),
	}
	if f.URL != "" {
		r.Questionnaire = f.URL + "|" + f.Version
	}
	if subject != (Reference{}) {
		r.Subject, r.Source = &subject, &subject
	}
	r.Item = responseItems(f.Items, f.Normalize(a), r.Authored)
	data, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings, numbers and booleans always marshal
	}
	return data
}

func responseItems(items []*Item, a Answers, when string) []responseItem {
	var out []responseItem
	for _, it := range items {
		item := responseItem{LinkID: it.LinkID, Text: it.Text, Item: responseItems(it.Items, a, when)}
		values := a[it.LinkID]
		if it.answered(values) && it.malformed(values) == "" {
			item.Answer = it.answers(values)
			if it.Kind == Signature {
				item.Extension = []signature{signed(values[0], when)}
			}
		}
		if len(item.Answer)+len(item.Item) > 0 {
			out = append(out, item)
		}
	}
	return out
}

func (it *Item) answers(values []string) []responseAnswer {
	switch it.Kind {
	case Boolean, Tick:
		yes := values[0] == "true"
		return []responseAnswer{{ValueBoolean: &yes}}
	case Integer:
		n, _ := strconv.Atoi(values[0])
		return []responseAnswer{{ValueInteger: &n}}
	case Date:
		return []responseAnswer{{ValueDate: values[0]}}
	case Choice, Multiple, OpenChoice:
		if strings.HasPrefix(values[0], OwnWords) {
			return []responseAnswer{{ValueString: ownWords(values[0])}}
		}
		var chosen []responseAnswer
		for _, value := range values {
			o, _ := it.option(value)
			chosen = append(chosen, responseAnswer{ValueCoding: &coding{o.System, o.Code, o.Label}})
		}
		return chosen
	}
	return []responseAnswer{{ValueString: values[0]}}
}

func signed(name, when string) signature {
	consent := coding{"urn:iso-astm:E1762-95:2013", "1.2.840.10065.1.12.1.7", "Consent Signature"}
	return signature{extResponseSignature, valueSignature{[]coding{consent}, when, Reference{Display: name}}}
}
