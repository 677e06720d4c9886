package forms

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func TestResponse(t *testing.T) {
	f := define(t, question("intro", "display"), question("string", "string"), question("text", "text"),
		question("date", "date"), question("integer", "integer"), question("boolean", "boolean"), question("tick", "boolean", ticking),
		question("choice", "choice", `"answerOption":[{"valueCoding":{"system":"http://loinc.org","code":"LA1","display":"One"}}]`),
		question("multiple", "choice", options, repeats), question("open", "open-choice", options), question("own", "open-choice", options),
		question("sign", "string", signing), question("skipped", "string"), question("wrong", "date"), question("half", "string", signing),
		question("group", "group", `"item":[`+question("inside", "string")+`]`),
		question("empty", "group", `"item":[`+question("nothing", "string")+`]`),
		question("hidden", "string", when("string", "=", `"answerString":"other"`)))
	a := Answers{"string": {" words "}, "text": {"a\nb"}, "date": {"2024-02-29"}, "integer": {"0"}, "boolean": {"false"},
		"tick": {"true"}, "choice": {"LA1"}, "multiple": {"green", "red"}, "open": {"blue"}, "own": {"text:pink"},
		"sign": {"Ann Example", "true"}, "wrong": {"soon"}, "half": {"Ann"}, "inside": {"x"}, "hidden": {"y"}}
	want := `{
	  "resourceType": "QuestionnaireResponse", "questionnaire": "https://forms.example/test|2", "status": "completed",
	  "subject": {"reference": "Patient/1"}, "authored": "2026-03-02T12:00:00Z", "source": {"reference": "Patient/1"},
	  "item": [
	    {"linkId": "string", "text": "The string?", "answer": [{"valueString": "words"}]},
	    {"linkId": "text", "text": "The text?", "answer": [{"valueString": "a\nb"}]},
	    {"linkId": "date", "text": "The date?", "answer": [{"valueDate": "2024-02-29"}]},
	    {"linkId": "integer", "text": "The integer?", "answer": [{"valueInteger": 0}]},
	    {"linkId": "boolean", "text": "The boolean?", "answer": [{"valueBoolean": false}]},
	    {"linkId": "tick", "text": "The tick?", "answer": [{"valueBoolean": true}]},
	    {"linkId": "choice", "text": "The choice?", "answer": [{"valueCoding": {"system": "http://loinc.org", "code": "LA1", "display": "One"}}]},
	    {"linkId": "multiple", "text": "The multiple?", "answer": [{"valueCoding": {"code": "red", "display": "Red"}}, {"valueCoding": {"code": "green", "display": "Green"}}]},
	    {"linkId": "open", "text": "The open?", "answer": [{"valueCoding": {"code": "blue", "display": "Blue"}}]},
	    {"linkId": "own", "text": "The own?", "answer": [{"valueString": "pink"}]},
	    {"linkId": "sign", "text": "The sign?", "answer": [{"valueString": "Ann Example"}],
	     "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/questionnaireresponse-signature", "valueSignature": {
	       "type": [{"system": "urn:iso-astm:E1762-95:2013", "code": "1.2.840.10065.1.12.1.7", "display": "Consent Signature"}],
	       "when": "2026-03-02T12:00:00Z", "who": {"display": "Ann Example"}}}]},
	    {"linkId": "group", "text": "The group?", "item": [{"linkId": "inside", "text": "The inside?", "answer": [{"valueString": "x"}]}]}
	  ]}`
	if diff := cmp.Diff(decoded(t, []byte(want)), decoded(t, f.Response(a, noon, Reference{Reference: "Patient/1"}))); diff != "" {
		t.Error(diff)
	}
}

func decoded(t *testing.T, data []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}
