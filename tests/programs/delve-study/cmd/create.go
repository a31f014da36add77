package cmd

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// longestName is how many characters a name may have.
var longestName = 12

var errNoName = errors.New("a study needs a name")

// Study is what the command creates.
type Study struct {
	Name   string
	Copies int
}

func newCreateCommand() *cobra.Command {
	var name string
	var copies int
	command := &cobra.Command{
		Use:   "create",
		Short: "Create a study",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return run(command.InOrStdin(), command.OutOrStdout(), name, copies)
		},
	}
	command.Flags().StringVar(&name, "name", "", "the study's name; - reads it from standard input")
	command.Flags().IntVar(&copies, "copies", 1, "how many to create")
	return command
}

func run(in io.Reader, out io.Writer, name string, copies int) error {
	if name == "-" {
		line, err := bufio.NewReader(in).ReadString('\n')
		if err != nil {
			return err
		}
		name = strings.TrimSpace(line)
	}
	study, err := create(name, copies)
	if err != nil {
		return err
	}
	for number := 1; number <= study.Copies; number++ {
		fmt.Fprintln(out, describe(study, number))
	}
	return nil
}

// create returns a study, or why there cannot be one.
func create(name string, copies int) (*Study, error) {
	length := len(name)
	if length == 0 {
		return nil, errNoName
	}
	if length > longestName {
		return nil, fmt.Errorf("%q has %d characters, but %d is the most", name, length, longestName)
	}
	study := &Study{Name: name, Copies: copies}
	return study, nil
}

func describe(study *Study, number int) string {
	text := fmt.Sprintf("created %s", study.Name)
	if study.Copies > 1 {
		text += fmt.Sprintf(" (%d of %d)", number, study.Copies)
	}
	return text
}
