import java.io.BufferedOutputStream;
import java.io.DataOutputStream;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.util.List;
import org.deeplearning4j.nn.conf.ComputationGraphConfiguration;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.inputs.InputType;
import org.deeplearning4j.nn.conf.layers.GravesLSTM;
import org.deeplearning4j.nn.conf.layers.LSTM;
import org.deeplearning4j.nn.conf.layers.Layer;
import org.deeplearning4j.nn.conf.layers.RnnOutputLayer;
import org.deeplearning4j.nn.conf.layers.recurrent.Bidirectional;
import org.deeplearning4j.nn.conf.layers.recurrent.SimpleRnn;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.util.ModelSerializer;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.dataset.api.preprocessor.NormalizerStandardize;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.learning.config.Adam;
import org.nd4j.linalg.learning.config.RmsProp;
import org.nd4j.linalg.lossfunctions.LossFunctions.LossFunction;

/**
 * Zips as a Java program without dl4j_bridge makes them, and beside each the network's output, as big-endian floats.
 *
 * <p>Arguments: a folder to write into, and zips of dl4j_bridge to load and save again.
 */
public final class ForeignNetworks {
    static final int STEPS = 300;
    static File folder;

    public static void main(String[] args) throws IOException {
        folder = new File(args[0]);
        classes("graves", 256, new GravesLSTM.Builder().nIn(256).nOut(8), new GravesLSTM.Builder().nIn(8).nOut(8));
        classes("lstm", 256, new LSTM.Builder().nIn(256).nOut(8));
        classes("vocabulary", 77, new GravesLSTM.Builder().nIn(77).nOut(8));
        classes("sizes", 256, new LSTM.Builder().nIn(256).nOut(6), new LSTM.Builder().nIn(6).nOut(8));
        classes("mixed", 256, new LSTM.Builder().nIn(256).nOut(8), new GravesLSTM.Builder().nIn(8).nOut(8));
        classes("simple", 256, new SimpleRnn.Builder().nIn(256).nOut(8));
        save("amp", network(linear(1), new LSTM.Builder().nIn(1).nOut(8).activation(Activation.TANH).build()), 1);
        save("frames", network(linear(5), new GravesLSTM.Builder().nIn(5).nOut(8).activation(Activation.TANH).build()),
                5);
        write("relu", network(linear(1), new LSTM.Builder().nIn(1).nOut(8).activation(Activation.RELU).build()));
        write("both", network(linear(1), new Bidirectional(Bidirectional.Mode.ADD,
                new LSTM.Builder().nIn(1).nOut(8).activation(Activation.TANH).build())));
        write("loss", network(new RnnOutputLayer.Builder(LossFunction.MEAN_ABSOLUTE_ERROR)
                .activation(Activation.IDENTITY).nIn(8).nOut(1).build(),
                new LSTM.Builder().nIn(1).nOut(8).activation(Activation.TANH).build()));
        normalized();
        graph();
        for (String path : List.of(args).subList(1, args.length)) {
            MultiLayerNetwork.load(new File(path), false).save(file("again.zip"), true);
        }
    }

    static void classes(String name, int classes, org.deeplearning4j.nn.conf.layers.FeedForwardLayer.Builder<?>... layers)
            throws IOException {
        Layer[] built = new Layer[layers.length];
        for (int i = 0; i < layers.length; i++) {
            built[i] = layers[i].activation(Activation.TANH).build();
        }
        RnnOutputLayer output = new RnnOutputLayer.Builder(LossFunction.MCXENT)
                .activation(Activation.SOFTMAX).nIn(8).nOut(classes).build();
        save(name, network(output, built), classes);
    }

    static RnnOutputLayer linear(int width) {
        return new RnnOutputLayer.Builder(LossFunction.MSE)
                .activation(Activation.IDENTITY).nIn(8).nOut(width).build();
    }

    static MultiLayerNetwork network(RnnOutputLayer output, Layer... layers) {
        NeuralNetConfiguration.ListBuilder list = new NeuralNetConfiguration.Builder()
                .seed(7).updater(new RmsProp(0.1)).l2(0.001).list();
        for (Layer layer : layers) {
            list.layer(layer);
        }
        MultiLayerNetwork net = new MultiLayerNetwork(list.layer(output).build());
        net.init();
        // Biases of 0 would hide gates in the wrong order.
        INDArray flat = net.params();
        flat.addi(Nd4j.rand(DataType.FLOAT, flat.shape()).subi(0.5));
        return net;
    }

    static void save(String name, MultiLayerNetwork net, int width) throws IOException {
        INDArray x = Nd4j.zeros(DataType.FLOAT, 1, width, STEPS);
        for (int t = 0; t < STEPS; t++) {
            if (width > 5) {
                x.putScalar(0, t * 37 % width, t, 1);
            } else {
                for (int i = 0; i < width; i++) {
                    x.putScalar(0, i, t, 0.5 * Math.sin(0.1 * (t * width + i)));
                }
            }
        }
        INDArray y = net.output(x);
        try (DataOutputStream out =
                new DataOutputStream(new BufferedOutputStream(new FileOutputStream(file(name + ".output"))))) {
            for (int t = 0; t < STEPS; t++) {
                for (int i = 0; i < y.size(1); i++) {
                    out.writeFloat(y.getFloat(0, i, t));
                }
            }
        }
        write(name, net);
    }

    static void write(String name, MultiLayerNetwork net) throws IOException {
        net.save(file(name + ".zip"), true);
    }

    static void normalized() throws IOException {
        MultiLayerNetwork net =
                network(linear(1), new LSTM.Builder().nIn(1).nOut(8).activation(Activation.TANH).build());
        write("normalized", net);
        NormalizerStandardize scale = new NormalizerStandardize();
        scale.fit(new DataSet(Nd4j.rand(DataType.FLOAT, 4, 1, 10), Nd4j.rand(DataType.FLOAT, 4, 1, 10)));
        ModelSerializer.addNormalizerToModel(file("normalized.zip"), scale);
    }

    static void graph() throws IOException {
        ComputationGraphConfiguration conf = new NeuralNetConfiguration.Builder().seed(7).updater(new Adam(0.01))
                .graphBuilder()
                .addInputs("x")
                .addLayer("lstm", new LSTM.Builder().nIn(1).nOut(8).build(), "x")
                .addLayer("y", linear(1), "lstm")
                .setOutputs("y")
                .setInputTypes(InputType.recurrent(1))
                .build();
        ComputationGraph graph = new ComputationGraph(conf);
        graph.init();
        graph.save(file("graph.zip"), true);
    }

    static File file(String name) {
        return new File(folder, name);
    }
}
