module joining

go 1.18
