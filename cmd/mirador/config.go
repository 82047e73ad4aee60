package main

//go:generate sh -c "go run . config reference > ../../docs/reference/config.md"

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"mirador/internal/config"
)

func configCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "check, show and explain mirador.yaml",
		RunE: func(c *cobra.Command, _ []string) error {
			return fail(exitUsage, "mirador config --help", "config needs a subcommand")
		},
	}
	c.AddCommand(configCheckCommand(), configShowCommand(), configSchemaCommand(), configInitCommand(), configReferenceCommand())
	return c
}

// check reads the configuration and everything it names, without receiving.
func configCheckCommand() *cobra.Command {
	f := &configFlags{}
	c := &cobra.Command{
		Use:   "check [FILE]",
		Short: "read the configuration and compile the rules, then stop",
		Long: `Check reads mirador.yaml, the rules, the sources file and the other files it names, as a
start or a reload would. It exits with 1 when the sensor would not start, and with 2 when
it would but rules were refused.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				f.path = args[0]
			}
			n := &node{o: nodeOptions{material: material{config: f.load}}}
			l, err := n.build(nil)
			if err != nil {
				return err
			}
			w := c.OutOrStdout()
			for _, name := range l.file.UnknownEnv {
				fmt.Fprintf(w, "warning: environment variable %s names no setting\n", name)
			}
			if f.path == "" {
				if _, err := os.Stat(defaultConfig); err != nil {
					fmt.Fprintf(w, "no file given and no %s: these are the defaults\n", defaultConfig)
				}
			}
			if l.engine.report.Loaded == 0 {
				fmt.Fprintln(w, "warning: no rules (rules.files): there would be events and no alerts")
			}
			fmt.Fprintf(w, "configuration good: %s, %s\n", plural(l.engine.report.Loaded, "rule"), plural(l.known, "source"))
			if l.refused > 0 {
				return &failure{code: exitFindings, err: fmt.Errorf("%s refused", plural(l.refused, "rule")), hint: "mirador rules check FILE shows each with its reason"}
			}
			return nil
		},
	}
	f.add(c)
	return c
}

func configShowCommand() *cobra.Command {
	f := &configFlags{}
	var origin bool
	c := &cobra.Command{
		Use:   "show",
		Short: "print the settings in use",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			file, err := f.load()
			if err != nil {
				return err
			}
			w := c.OutOrStdout()
			if !origin {
				fmt.Fprint(w, file.String())
				return nil
			}
			for _, k := range config.Keys() {
				from := "default"
				if o, ok := file.Origin(k.Path); ok {
					from = o.String()
				}
				fmt.Fprintf(w, "%-32s %s\n", k.Path, from)
			}
			return nil
		},
	}
	f.add(c)
	c.Flags().BoolVar(&origin, "origin", false, "say where each setting is from instead of its value")
	return c
}

func configSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "print the JSON Schema of mirador.yaml",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			b, err := config.Schema()
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "%s\n", b)
			return nil
		},
	}
}

// configReferenceCommand writes docs/reference/config.md; a test keeps it in step.
func configReferenceCommand() *cobra.Command {
	return &cobra.Command{
		Use: "reference", Short: "print the reference page of mirador.yaml", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := io.WriteString(c.OutOrStdout(), configReference())
			return err
		},
	}
}

// configReference is the page.
func configReference() string {
	var b strings.Builder
	b.WriteString(`# mirador.yaml

Every key, its default, and what it is for. "mirador config init" writes a file with all of them, "mirador config check" reads one and
everything it names, "mirador config show --origin" tells where each value is from. Later ones win: the defaults, the file, the environment
(a variable for each key, lists with commas), the flags. An unknown key is an error.

Keys marked *live* are taken over by a reload; a change of the others is named by "mirador reload" and "mirador status" until the next start.

This page is made by "go generate ./cmd/mirador".
`)
	section := ""
	table := func(title string) {
		fmt.Fprintf(&b, "\n## %s\n\n| key | type | default | | meaning |\n|---|---|---|---|---|\n", title)
	}
	table("At the top")
	for _, k := range config.Keys() {
		if !strings.Contains(k.Path, ".") {
			referenceRow(&b, k)
		}
	}
	for _, k := range config.Keys() {
		head, _, sub := strings.Cut(k.Path, ".")
		if !sub {
			continue
		}
		if head != section {
			table(head)
			section = head
		}
		referenceRow(&b, k)
	}
	return b.String()
}

func referenceRow(b *strings.Builder, k config.Key) {
	live := ""
	if isLive(k.Path) {
		live = "*live*"
	}
	doc := strings.ReplaceAll(k.Doc, "|", "\\|")
	if k.Env != "" {
		doc += " `$" + k.Env + "`"
	}
	fmt.Fprintf(b, "| `%s` | %s | `%s` | %s | %s |\n", k.Path, k.Type, strings.ReplaceAll(k.Default, "|", "\\|"), live, doc)
}

func configInitCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init [FILE]",
		Short: "write a mirador.yaml in which every setting is explained",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			text := config.Example()
			if len(args) == 0 || args[0] == "-" {
				fmt.Fprint(c.OutOrStdout(), text)
				return nil
			}
			f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
			if errors.Is(err, fs.ErrExist) {
				return fail(exitRefused, "choose another name, or remove it first", "%s is there already", args[0])
			}
			if err != nil {
				return fail(permissionOr(err, exitFailed), "", "write configuration: %w", err)
			}
			if _, err := strings.NewReader(text).WriteTo(f); err != nil {
				f.Close()
				return fmt.Errorf("write configuration: %w", err)
			}
			return f.Close()
		},
	}
}
