# Temper with its locked packages: servers and worker of compose.yaml.
FROM python:3.11-slim
RUN pip install --no-cache-dir 'uv>=0.9'
WORKDIR /temper
COPY requirements.lock pyproject.toml README.md LICENSE ./
RUN uv pip install --system --no-cache -r requirements.lock
COPY flows flows
COPY tasks tasks
COPY configs configs
RUN uv pip install --system --no-cache --no-deps --no-build-isolation --editable .
ENV DO_NOT_TRACK=true PREFECT_SERVER_ANALYTICS_ENABLED=false MLFLOW_DISABLE_TELEMETRY=true PYTHONUNBUFFERED=1
CMD ["temper", "up"]
