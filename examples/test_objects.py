"""What becomes of an object's fields: defaulting, conversion and validation."""

import pytest

DRY_RUN = {"dryRun": "All"}


@pytest.mark.hits(
    "apis/core/v1.SetDefaults_Service",
    at="if obj.Spec.InternalTrafficPolicy == nil {",
    locals={
        "obj.GenerateName": "reading-",
        "obj.Spec.Type": "ClusterIP",
        "obj.Spec.SessionAffinity": "None",
        "obj.Spec.InternalTrafficPolicy": None,
        "obj.Spec.Ports[0]": {"Protocol": "TCP", "Port": 80, "TargetPort": {"IntVal": 80}},
    },
)
def test_a_service_gets_its_defaults(api):
    service = {"metadata": {"generateName": "reading-"}, "spec": {"ports": [{"port": 80}]}}
    answer = api.post("/api/v1/namespaces/default/services", params=DRY_RUN, json=service)
    assert answer.json()["spec"]["type"] == "ClusterIP"


@pytest.mark.hits(
    "apis/apps/v1.SetDefaults_Deployment",
    at="if obj.Spec.RevisionHistoryLimit == nil {",
    locals={
        "*obj.Spec.Replicas": 1,
        "strategy.Type": "RollingUpdate",
        "strategy.RollingUpdate.MaxSurge.StrVal": "25%",
        "obj.Spec.RevisionHistoryLimit": None,
    },
)
def test_a_deployment_gets_its_defaults(api):
    labels = {"app": "book"}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "book", "image": "book"}]},
    }
    deployment = {
        "metadata": {"generateName": "reading-"},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }
    path = "/apis/apps/v1/namespaces/default/deployments"
    answer = api.post(path, params=DRY_RUN, json=deployment)
    assert answer.json()["spec"]["revisionHistoryLimit"] == 10


@pytest.mark.hits(
    "autoscaling/v1.Convert_v1_HorizontalPodAutoscalerSpec_To_autoscaling_HorizontalPodAutoscalerSpec",
    at="*out.Metrics[0].Resource.Target.AverageUtilization = *in.TargetCPUUtilizationPercentage",
    locals={
        "*in.TargetCPUUtilizationPercentage": 80,
        "out.MaxReplicas": 5,
        "out.Metrics[0].Resource.Name": "cpu",
        "out.Metrics[0].Resource.Target.Type": "Utilization",
    },
)
def test_one_field_of_autoscaling_v1_is_a_metric_inside(api):
    """Every version is converted to the internal one, which looks like the newest."""
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "book"},
        "maxReplicas": 5,
        "targetCPUUtilizationPercentage": 80,
    }
    scaler = {"metadata": {"generateName": "reading-"}, "spec": spec}
    path = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers"
    assert api.post(path, params=DRY_RUN, json=scaler).status_code == 201


@pytest.mark.hits(
    "autoscaling/v2.Convert_autoscaling_HorizontalPodAutoscalerSpec_To_v2_HorizontalPodAutoscalerSpec",
    at="return autoConvert_",
    locals={
        "in.MaxReplicas": 5,
        "in.Metrics[0].Resource.Name": "cpu",
        "*in.Metrics[0].Resource.Target.AverageUtilization": 80,
    },
)
def test_what_was_written_as_v1_is_read_as_v2(api, create):
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "book"},
        "maxReplicas": 5,
        "targetCPUUtilizationPercentage": 80,
    }
    path = create("/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers", spec=spec)
    answer = api.get(path.replace("/v1/", "/v2/"))
    assert answer.json()["spec"]["metrics"][0]["resource"]["name"] == "cpu"


@pytest.mark.hits(
    "core/validation.ValidateConfigMap",
    at="if totalSize > core.MaxSecretSize {",
    locals={
        "totalSize": 5,
        "len(allErrs)": 1,
        "allErrs[0].Type": "FieldValueInvalid",
        "allErrs[0].Field": "data[a b]",
    },
)
@pytest.mark.not_hits("etcd3.(*store).Create")
def test_a_key_with_a_space_is_invalid(api):
    new = {"metadata": {"generateName": "reading-"}, "data": {"a b": "12345"}}
    answer = api.post("/api/v1/namespaces/default/configmaps", json=new)
    assert answer.json()["reason"] == "Invalid"


@pytest.mark.hits(
    "core/validation.ValidateConfigMapUpdate",
    at="allErrs = append(allErrs, ValidateConfigMap(newCfg)...)",
    locals={
        "*oldCfg.Immutable": True,
        "oldCfg.Data": {"chapter": "1"},
        "newCfg.Data": {"chapter": "2"},
        "allErrs[0].Field": "data",
        "allErrs[0].Type": "FieldValueForbidden",
    },
)
def test_an_immutable_config_map_stays_as_it_is(api, create, name):
    path = create("/api/v1/namespaces/default/configmaps", data={"chapter": "1"}, immutable=True)
    changed = {"metadata": {"name": name}, "data": {"chapter": "2"}, "immutable": True}
    assert api.put(path, json=changed).status_code == 422
