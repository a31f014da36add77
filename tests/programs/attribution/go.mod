module example.com/attribution

go 1.18

require (
	k8s.io/apimachinery v0.0.0
	k8s.io/apiserver v0.0.0
)

replace (
	k8s.io/apimachinery => ./apimachinery
	k8s.io/apiserver => ./apiserver
)
