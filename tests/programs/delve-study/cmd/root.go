// Package cmd has the commands of delve-study.
package cmd

import (
	"github.com/spf13/cobra"
)

// Execute runs the command that the arguments name, and returns the exit status.
func Execute(version string) int {
	root := newRootCommand(version)
	if err := root.Execute(); err != nil {
		return 1
	}
	return 0
}

func newRootCommand(version string) *cobra.Command {
	root := &cobra.Command{
		Use:          "delve-study",
		Short:        "A small program to learn Delve with",
		Version:      version,
		SilenceUsage: true,
	}
	root.AddCommand(newCreateCommand())
	return root
}
