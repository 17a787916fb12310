"""The parts of autobahn/run."""
