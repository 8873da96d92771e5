"""The command ``bionn``: one parser, each verb a function; heavy imports inside the verb."""
