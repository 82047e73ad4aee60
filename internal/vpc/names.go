package vpc

// Names of what a run makes on the machine begin with this, so that the next run can find
// what a crashed one has left.
const prefix = "mirador-"
