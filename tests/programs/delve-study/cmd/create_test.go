package cmd

import (
	"strings"
	"testing"
)

func TestCreate(t *testing.T) {
	study, err := create("gopher", 2)
	if err != nil {
		t.Fatal(err)
	}
	if study.Name != "gopher" || study.Copies != 2 {
		t.Errorf("created %+v", study)
	}
}

func TestANameMayBeReadFromStandardInput(t *testing.T) {
	var out strings.Builder
	if err := run(strings.NewReader("gopher\n"), &out, "-", 2); err != nil {
		t.Fatal(err)
	}
	want := "created gopher (1 of 2)\ncreated gopher (2 of 2)\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestAStudyNeedsAName(t *testing.T) {
	if _, err := create("", 1); err != errNoName {
		t.Errorf("got %v", err)
	}
}
