"""Reading FIX messages out of logs. What it needs of the core is the codec; the command and users' programs
import it."""
