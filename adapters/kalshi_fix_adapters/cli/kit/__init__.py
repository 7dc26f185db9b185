"""Code shared by all subcommands, including the subcommands of other distributions."""
