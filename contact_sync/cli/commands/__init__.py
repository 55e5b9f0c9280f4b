"""The commands, one file each: its options, its settings, and the function it calls; registered in `cli.program`.

The command line imports them all for completion and the config file, so they may import only what is fast: `cli` and `errors`,
`model` and `i18n` from the floors below. What a command calls is imported when it runs (`cli.program`).
"""
