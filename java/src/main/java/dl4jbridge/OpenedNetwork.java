package dl4jbridge;

import java.io.File;
import java.io.IOException;
import java.util.Arrays;
import org.deeplearning4j.nn.api.Model;
import org.deeplearning4j.nn.conf.ComputationGraphConfiguration;
import org.deeplearning4j.nn.conf.MultiLayerConfiguration;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.util.ModelSerializer;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.dataset.MultiDataSet;

/**
 * A DL4J network of any kind behind one interface, for Python. The configuration must have been checked: Jackson makes
 * an object of each class that it names.
 */
public abstract class OpenedNetwork {
    private final Model model;

    private OpenedNetwork(Model model) {
        this.model = model;
    }

    /** Outputs of inference, one for each output of the network. */
    public abstract Tensor[] output(Tensor[] inputs);

    /** The same for the next time step or steps, from the state that the call before left. */
    public abstract Tensor[] step(Tensor[] inputs);

    /** Returns to the zero state. */
    public abstract void clearState();

    /** DL4J's fit: one update, or one for each tBPTT segment; returns the score before the last one. */
    public abstract double fit(Tensor[] inputs, Tensor[] labels);

    /** DL4J's score, regularisation included. */
    public abstract double score(Tensor[] inputs, Tensor[] labels);

    /** DL4J's own table. */
    public abstract String summary();

    /**
     * Makes a network with stored numbers.
     *
     * @param json        the configuration
     * @param isGraph     true for a ComputationGraph
     * @param parameters  all parameters in DL4J's order, [1, n]; becomes the network's memory, and its type the network's
     * @param updater     the updater's state, [1, n]; copied; null for its initial state
     * @throws IllegalArgumentException if the configuration has another number of parameters; nothing was allocated
     */
    public static OpenedNetwork of(String json, boolean isGraph, Tensor parameters, Tensor updater) {
        INDArray numbers = parameters.array();
        INDArray state = updater == null ? null : updater.array();
        return isGraph ? Graph.of(json, numbers, state) : Stack.of(json, numbers, state);
    }

    /** Names of all parameters, such as 0_W. */
    public String[] names() {
        return model.paramTable().keySet().toArray(new String[0]);
    }

    /** One parameter, a view of the network's memory. */
    public Tensor parameter(String name) {
        return Tensor.of(model.getParam(name));
    }

    /** Writes DL4J's own zip, straight to {@code path}: not atomic. */
    public void save(String path, boolean withUpdater) throws IOException {
        ModelSerializer.writeModel(model, new File(path), withUpdater);
    }

    private static INDArray[] arrays(Tensor[] tensors) {
        return Arrays.stream(tensors).map(Tensor::array).toArray(INDArray[]::new);
    }

    private static Tensor[] dense(INDArray... arrays) {
        return Arrays.stream(arrays).map(Tensor::dense).toArray(Tensor[]::new);
    }

    private static final class Stack extends OpenedNetwork {
        private final MultiLayerNetwork net;

        Stack(MultiLayerNetwork net) {
            super(net);
            this.net = net;
        }

        static Stack of(String json, INDArray parameters, INDArray updater) {
            MultiLayerConfiguration configuration = MultiLayerConfiguration.fromJson(json);
            configuration.setDataType(parameters.dataType());
            MultiLayerNetwork net = new MultiLayerNetwork(configuration);
            net.init(parameters, false);
            if (updater != null) {
                net.getUpdater().setStateViewArray(net, updater, false);
            }
            return new Stack(net);
        }

        @Override
        public Tensor[] output(Tensor[] inputs) {
            return dense(net.output(inputs[0].array()));
        }

        @Override
        public Tensor[] step(Tensor[] inputs) {
            return dense(net.rnnTimeStep(inputs[0].array()));
        }

        @Override
        public void clearState() {
            net.rnnClearPreviousState();
        }

        @Override
        public double fit(Tensor[] inputs, Tensor[] labels) {
            net.fit(inputs[0].array(), labels[0].array());
            return net.score();
        }

        @Override
        public double score(Tensor[] inputs, Tensor[] labels) {
            return net.score(new DataSet(inputs[0].array(), labels[0].array()));
        }

        @Override
        public String summary() {
            return net.summary();
        }
    }

    private static final class Graph extends OpenedNetwork {
        private final ComputationGraph net;

        Graph(ComputationGraph net) {
            super(net);
            this.net = net;
        }

        static Graph of(String json, INDArray parameters, INDArray updater) {
            ComputationGraphConfiguration configuration = ComputationGraphConfiguration.fromJson(json);
            configuration.setDataType(parameters.dataType());
            ComputationGraph net = new ComputationGraph(configuration);
            net.init(parameters, false);
            if (updater != null) {
                net.getUpdater().setStateViewArray(updater);
            }
            return new Graph(net);
        }

        @Override
        public Tensor[] output(Tensor[] inputs) {
            return dense(net.output(arrays(inputs)));
        }

        @Override
        public Tensor[] step(Tensor[] inputs) {
            return dense(net.rnnTimeStep(arrays(inputs)));
        }

        @Override
        public void clearState() {
            net.rnnClearPreviousState();
        }

        @Override
        public double fit(Tensor[] inputs, Tensor[] labels) {
            net.fit(arrays(inputs), arrays(labels));
            return net.score();
        }

        @Override
        public double score(Tensor[] inputs, Tensor[] labels) {
            return net.score(new MultiDataSet(arrays(inputs), arrays(labels)));
        }

        @Override
        public String summary() {
            return net.summary();
        }
    }
}
