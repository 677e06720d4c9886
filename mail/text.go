package mail

import (
	"bytes"
	"io"
	"strings"

	"github.com/emersion/go-message"
)

// Text is what a letter of ours says, without its HTML: what a frozen one says has the slot where the link's secret will stand.
func Text(letter []byte) (text string, err error) {
	entity, err := message.Read(bytes.NewReader(letter))
	if err != nil {
		return "", err
	}
	err = entity.Walk(func(_ []int, part *message.Entity, err error) error {
		if err != nil {
			return err
		}
		if kind, _, _ := part.Header.ContentType(); kind != "text/plain" || text != "" {
			return nil
		}
		body, err := io.ReadAll(part.Body)
		text = strings.ReplaceAll(string(body), "\r\n", "\n")
		return err
	})
	return text, err
}
