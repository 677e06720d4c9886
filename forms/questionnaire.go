package forms

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// The extensions that are understood: FHIR's, then ours.
const (
	extItemControl = "http://hl7.org/fhir/StructureDefinition/questionnaire-itemControl"
	extSignature   = "http://hl7.org/fhir/StructureDefinition/questionnaire-signatureRequired"
	extMinValue    = "http://hl7.org/fhir/StructureDefinition/minValue"
	extMaxValue    = "http://hl7.org/fhir/StructureDefinition/maxValue"
	extOrdinal     = "http://hl7.org/fhir/StructureDefinition/ordinalValue"

	extMinutes      = "https://anteroom.example/fhir/minutes"        // form: about how long it takes
	extScoreBand    = "https://anteroom.example/fhir/score-band"     // form: from (integer), label (string)
	extAutocomplete = "https://anteroom.example/fhir/autocomplete"   // item: an HTML autocomplete token
	extConsentLine  = "https://anteroom.example/fhir/consent-line"   // signature: what typing the name means
	extConcern      = "https://anteroom.example/fhir/safety-concern" // option: choosing it is a safety concern
)

// The parts of a Questionnaire. Fields held as raw JSON may be there and mean nothing
// to us; a field that isn't listed is refused, as it may change what the form asks.
type (
	rawForm struct {
		ResourceType string            `json:"resourceType"`
		ID           string            `json:"id"`
		URL          string            `json:"url"`
		Version      string            `json:"version"`
		Title        string            `json:"title"`
		Status       string            `json:"status"`
		Description  string            `json:"description"`
		Copyright    string            `json:"copyright"`
		Extension    []extension       `json:"extension"`
		Item         []json.RawMessage `json:"item"`

		Meta           json.RawMessage `json:"meta"`
		Language       json.RawMessage `json:"language"`
		Text           json.RawMessage `json:"text"`
		Identifier     json.RawMessage `json:"identifier"`
		Name           json.RawMessage `json:"name"`
		Experimental   json.RawMessage `json:"experimental"`
		SubjectType    json.RawMessage `json:"subjectType"`
		Date           json.RawMessage `json:"date"`
		Publisher      json.RawMessage `json:"publisher"`
		Contact        json.RawMessage `json:"contact"`
		UseContext     json.RawMessage `json:"useContext"`
		Jurisdiction   json.RawMessage `json:"jurisdiction"`
		Purpose        json.RawMessage `json:"purpose"`
		ApprovalDate   json.RawMessage `json:"approvalDate"`
		LastReviewDate json.RawMessage `json:"lastReviewDate"`
		Code           json.RawMessage `json:"code"`
	}
	rawItem struct {
		LinkID         string            `json:"linkId"`
		Type           string            `json:"type"`
		Prefix         string            `json:"prefix"`
		Text           string            `json:"text"`
		Required       bool              `json:"required"`
		Repeats        bool              `json:"repeats"`
		MaxLength      *int              `json:"maxLength"`
		EnableWhen     []rawCondition    `json:"enableWhen"`
		EnableBehavior string            `json:"enableBehavior"`
		AnswerOption   []rawOption       `json:"answerOption"`
		Extension      []extension       `json:"extension"`
		Item           []json.RawMessage `json:"item"`

		ID         json.RawMessage `json:"id"`
		Definition json.RawMessage `json:"definition"`
		Code       json.RawMessage `json:"code"`
	}
	rawCondition struct {
		Question      string  `json:"question"`
		Operator      string  `json:"operator"`
		AnswerBoolean *bool   `json:"answerBoolean"`
		AnswerInteger *int    `json:"answerInteger"`
		AnswerDate    *string `json:"answerDate"`
		AnswerString  *string `json:"answerString"`
		AnswerCoding  *coding `json:"answerCoding"`
	}
	rawOption struct {
		ValueCoding *coding     `json:"valueCoding"`
		Extension   []extension `json:"extension"`
	}
	coding struct {
		System  string `json:"system,omitempty"`
		Code    string `json:"code"`
		Display string `json:"display,omitempty"`
	}
	extension struct {
		URL                  string      `json:"url"`
		ValueString          string      `json:"valueString"`
		ValueBoolean         bool        `json:"valueBoolean"`
		ValueInteger         *int        `json:"valueInteger"`
		ValueDecimal         json.Number `json:"valueDecimal"`
		ValueDate            string      `json:"valueDate"`
		ValueCodeableConcept struct {
			Coding []coding `json:"coding"`
			Text   string   `json:"text"`
		} `json:"valueCodeableConcept"`
		Extension []extension `json:"extension"`
	}
)

// control is the code of an itemControl.
func (x extension) control() string {
	if len(x.ValueCodeableConcept.Coding) != 1 {
		return ""
	}
	return x.ValueCodeableConcept.Coding[0].Code
}

// bound is a minValue or maxValue as an answer is written; empty if it isn't one.
func (x extension) bound(kind Kind) string {
	switch {
	case kind == Date && isDate(x.ValueDate):
		return x.ValueDate
	case kind == Integer && x.ValueInteger != nil && *x.ValueInteger >= -maxInteger && *x.ValueInteger <= maxInteger:
		return strconv.Itoa(*x.ValueInteger)
	}
	return ""
}

func unknownExtension(x extension, seen map[string]bool) error {
	if seen[x.URL] {
		return fmt.Errorf("extension %s is there twice", x.URL)
	}
	return fmt.Errorf("extension %s is not understood here", x.URL)
}

// strict decodes one JSON value and refuses fields that the target doesn't list.
func strict(data []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("there is something after the end")
	}
	return nil
}
