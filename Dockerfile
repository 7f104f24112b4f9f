# The dashboard in a container:  docker build -t neural-ode-lab . && docker run --rm -p 8501:8501 neural-ode-lab
FROM python:3.11-slim

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    VIRTUAL_ENV=/opt/venv \
    PATH=/opt/venv/bin:$PATH \
    HOME=/tmp

WORKDIR /app
COPY requirements.txt ./

# torch first and alone, its CPU build: see the Makefile, which does the same for a machine.
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
RUN python3 -m venv /opt/venv \
    && grep '^torch==' requirements.txt > /tmp/torch.txt \
    && pip install uv==0.13.9 \
    && { UV_HTTP_RETRIES=0 UV_HTTP_TIMEOUT=15 uv pip install --no-cache --torch-backend=cpu -r /tmp/torch.txt \
         || pip install -r /tmp/torch.txt; } \
    && pip install -r requirements.txt \
    && pip uninstall -y uv \
    && rm /tmp/torch.txt

COPY . .

RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin lab
USER 10001

EXPOSE 8501
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-m", "pages.ui.health"]

# Inside the container every interface. `docker run -e HOST=lab-pc.example.org` lets a class in under that name,
# `-e PORT=7860` is another port; an option of Streamlit may stand after the image's name.
ENV STREAMLIT_SERVER_HEADLESS=true \
    STREAMLIT_SERVER_ADDRESS=0.0.0.0 \
    STREAMLIT_BROWSER_SERVER_ADDRESS=localhost
ENTRYPOINT ["python", "-m", "neural_ode_lab"]
