module example.com/stops

go 1.18
